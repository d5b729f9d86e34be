import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, temporaryFolder, TINY_MODEL, trainer } from './cli.js';

let folder: string;
let dataset: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  dataset = path.join(folder, 'dataset');
  const sizes = ['--size', '32', '--train', '16', '--val', '8', '--held-out', '8'];
  expect((await trainer('sample-data', '--output', dataset, ...sizes)).code).toBe(0);
});
afterAll(() => remove());

describe('the plan of a run', () => {
  it('refuses a stage that does not fit in memory, with its size and advice', async () => {
    // 65,536 patches, each of which attends to all: 275 GB of scores for a batch of 8 with two heads.
    const vision_backbone = {
      ...TINY_MODEL.vision_backbone,
      image_size: 4096,
      intermediate_size: 8192,
      num_hidden_layers: 2,
    };
    const flags = await configFlags(folder, { model: { vision_backbone } });
    const run = path.join(folder, 'run');
    const { code, stdout, stderr } = await trainer(
      ...['pretrain', '--data', dataset, '--output', run, '--backend', 'onnxruntime', ...flags],
    );
    expect(stdout).toMatch(/plan: vit [\d,]+ parameters, roberta [\d,]+, heads and temperature 1,025/);
    expect(stdout).toMatch(
      /plan: stage 1 \(heads\): \d+ steps of 8 pairs \(.*\), [\d.]+ % of the parameters learn, from/,
    );
    expect(stderr).toMatch(/memory_insufficient: stage "everything" would take about \d{3,}\.\d GB more/);
    expect(stderr).toMatch(/"batch_size" \(8\).*"gradient_accumulation_steps" \(1\).*--ignore-memory/);
    expect(code).toBe(2);
  });
});

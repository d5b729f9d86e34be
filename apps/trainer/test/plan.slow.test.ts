import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { usableCores } from '@clip-ts/clip/system';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, countThreads, temporaryFolder, TINY_MODEL, trainer } from './cli.js';

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

const sharesCores = () =>
  readFile('/sys/devices/system/cpu/smt/active', 'utf8').then(
    (active) => active.trim() === '1',
    () => false,
  );

describe('the plan of a run', () => {
  it('of a dry run on one core ends with a picture of the first batch, and nothing is trained', async () => {
    const flags = await configFlags(folder);
    const run = path.join(folder, 'dry');
    const args = ['pretrain', '--data', dataset, '--output', run, '--dry-run', '--backend', 'onnxruntime'];
    const { code, stdout, stderr, threads } = await countThreads([...args, ...flags], folder, '0');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(threads).toEqual(threads.map(() => 0));
    expect(stdout).toMatch(
      /stage 2 \(everything\): 2 steps .* 100\.0 % of the parameters learn, up to about [\d.]+ GB of memory \(.* free\), about \d+:\d\d/,
    );
    expect(stdout).toMatch(
      /stage 1 \(heads\): .* on features of the towers, computed once \(about \d+:\d\d\), about \d+:\d\d for the steps/,
    );
    expect(stdout).toMatch(/plan: decoded images take up to 1 MB more\n/);
    const { width, height, channels } = await sharp(path.join(run, 'first-batch.png')).metadata();
    expect({ width, height, channels }).toEqual({ width: 1160, height: 504, channels: 3 });
    const files = await readdir(run);
    expect(files).not.toContain('last');
    expect(files).not.toContain('metrics.jsonl');
  });

  it('refuses a stage that does not fit in memory, with its size and advice', async () => {
    // 65,536 patches, each of which attends to all: 275 GB of scores for a batch of 8 with two heads.
    const vision_backbone = {
      ...TINY_MODEL.vision_backbone,
      image_size: 4096,
      intermediate_size: 8192,
      num_hidden_layers: 4,
    };
    const flags = await configFlags(folder, { model: { vision_backbone } });
    const run = path.join(folder, 'run');
    const args = ['pretrain', '--data', dataset, '--output', run, '--backend', 'onnxruntime', ...flags];
    const { code, stdout, stderr, threads } = await countThreads(args, folder);
    // It has measured how fast all cores are, with a thread for each beside its own. That some are found shows that they are counted;
    // of two processors that share a core, ONNX Runtime takes one.
    expect(Math.max(0, ...threads)).toBeLessThan(usableCores());
    if (process.platform === 'linux' && usableCores() > 1 && !(await sharesCores()))
      expect(Math.max(...threads)).toBeGreaterThan(0);
    expect(stdout).toMatch(/plan: vit [\d,]+ parameters, roberta [\d,]+, heads and temperature 1,025/);
    expect(stdout).toMatch(
      /plan: stage 1 \(heads\): \d+ steps of 8 pairs \(.*\), [\d.]+ % of the parameters learn, on features/,
    );
    expect(stderr).toMatch(/memory_insufficient: stage "everything" would take about \d{3,}\.\d GB more/);
    expect(stderr).toMatch(/"batch_size" \(8\).*"gradient_accumulation_steps" \(1\).*--ignore-memory/);
    expect(code).toBe(2);

    expect(stderr).toContain('pass --gradient-checkpointing');
    const checkpointed = await trainer(...args, '--gradient-checkpointing');
    const gigabytes = (text: string) => Number(/take about ([\d.]+) GB/.exec(text)![1]);
    expect(gigabytes(checkpointed.stderr)).toBeLessThan(0.8 * gigabytes(stderr));
    expect(checkpointed.stderr).not.toContain('pass --gradient-checkpointing');
  });
});

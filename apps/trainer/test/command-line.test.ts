import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, temporaryFolder, trainer, type Finished } from './cli.js';

let folder: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
});
afterAll(() => remove());

function expectRefusal({ code, stderr }: Finished, ...words: string[]): void {
  expect(code).toBe(2);
  for (const word of words) expect(stderr).toContain(word);
  expect(stderr).not.toMatch(/\n {4}at /);
}

describe('command line', () => {
  it.each(['sample-data', 'pretrain', 'evaluate', 'export'])(
    '%s --help lists its options with defaults',
    async (command) => {
      const { code, stdout } = await trainer(command, '--help');
      expect(code).toBe(0);
      expect(stdout).toContain('default:');
    },
  );

  it('names an unknown option, a bad value and an unknown command', async () => {
    expectRefusal(await trainer('sample-data', '--colour', 'red'), '--colour');
    expectRefusal(await trainer('sample-data', '--size', 'big'), '--size', "'big'");
    expectRefusal(await trainer('evaluate', '--backend', 'abacus'), '--backend', 'onnxruntime');
    expectRefusal(await trainer('train'), 'train');
  });

  it('says how to get COCO, or to make the sample, when there is no dataset', async () => {
    const missing = path.join(folder, 'MSCOCO');
    const finished = await trainer('pretrain', '--data', missing, ...(await configFlags(folder)));
    expectRefusal(
      finished,
      'train2017.zip',
      '18 GB',
      'annotations_trainval2017.zip',
      `${missing}/images`,
      'sample-data',
    );
  });

  it('lists the known keys when a configuration has an unknown one', async () => {
    const flags = await configFlags(folder, { everything: { learning_rat: 1 } });
    const finished = await trainer('pretrain', ...flags, '--output', path.join(folder, 'run'));
    expectRefusal(finished, 'training-config.json', '"learning_rat"', 'learning_rate, weight_decay');
  });

  it('names the key, what was expected and what was found', async () => {
    const heads = { batch_size: 0, warmup_steps_factor: 'long' };
    const finished = await trainer('pretrain', ...(await configFlags(folder, { heads })));
    expectRefusal(finished, 'freeze-training-config.json', '"batch_size"', 'at least 2', 'found 0', '"long"');
  });

  it('names a configuration file that is missing', async () => {
    expectRefusal(
      await trainer('pretrain', '--model-config', path.join(folder, 'none.json')),
      'none.json',
      'no such file',
    );
  });

  it('writes nothing when it refuses', async () => {
    expect(await readdir(folder)).not.toContain('run');
  });

  it('asks for a checkpoint that is there', async () => {
    expectRefusal(await trainer('evaluate', '--checkpoint', folder), '--checkpoint', 'config.json');
    expectRefusal(await trainer('export', '--checkpoint', folder), '--checkpoint', 'config.json');
  });
});

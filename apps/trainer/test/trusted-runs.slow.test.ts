/** What a run promises about its folder, its end and its resumption, through the command line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SafetensorsFile } from '@clip-ts/clip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configFlags, MAIN, start, temporaryFolder, trainer, type Configs, type Running } from './cli.js';

let folder: string;
let remove: () => Promise<void>;
const inFolder = (...names: string[]) => path.join(folder, ...names);

beforeAll(async () => {
  ({ folder, remove } = await temporaryFolder());
  const sizes = ['--size', '32', '--train', '40', '--val', '8', '--held-out', '8'];
  expect((await trainer('sample-data', '--output', inFolder('data'), ...sizes)).code).toBe(0);
});
afterAll(() => remove());

async function pretrainArguments(name: string, configs: Configs): Promise<string[]> {
  const flags = await configFlags(folder, configs);
  return ['pretrain', '--data', inFolder('data'), '--output', inFolder(name), ...flags];
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** Starts a run and waits until it has trained a step. */
async function startTraining(args: string[], metrics: string): Promise<Running> {
  const before = (await exists(metrics)) ? (await readFile(metrics)).length : 0;
  const run = start(args);
  while (!(await exists(metrics)) || (await readFile(metrics)).length <= before) {
    if (run.child.exitCode !== null) throw new Error((await run.finished).stderr);
    await delay(50);
  }
  return run;
}

const TINY_RESNET = {
  model_type: 'resnet',
  image_size: 32,
  embedding_size: 4,
  hidden_sizes: [4, 8],
  depths: [1, 1],
  layer_type: 'basic',
};

describe('a run', () => {
  it('has its folder to itself, writes a checkpoint on SIGINT, and resumes after that and after a kill', async () => {
    const args = await pretrainArguments('long', {
      model: { vision_backbone: TINY_RESNET },
      heads: { epochs: 0 },
      everything: { epochs: 100_000, batch_norm: 'training' },
    });
    const metrics = inFolder('long', 'metrics.jsonl');
    const first = await startTraining(args, metrics);
    const second = await trainer(...args);
    expect([second.code, second.stderr]).toEqual([
      2,
      expect.stringMatching(
        /long: process \d+ on \S+ since \S+ is training in this folder; wait for it, stop it/,
      ),
    ]);
    first.child.kill('SIGINT');
    const { code, stderr } = await first.finished;
    expect([code, stderr]).toEqual([130, 'trainer: stopped; the same command resumes from here\n']);
    expect(await exists(inFolder('long', 'lock'))).toBe(false);

    const third = await startTraining(args, metrics);
    third.child.kill('SIGKILL');
    await third.finished;
    const fourth = await startTraining(args, metrics);
    fourth.child.kill('SIGTERM');
    const ended = await fourth.finished;
    expect([ended.code, ended.stdout]).toEqual([143, expect.stringContaining('resuming from')]);

    // Over all three, its batch norm has counted its batches, as PyTorch does: one an update.
    const last = await SafetensorsFile.open(inFolder('long', 'last', 'model.safetensors'));
    const count = 'vision_model.embedder.embedder.normalization.num_batches_tracked';
    const [dtype, [batches]] = [last.tensors.get(count)!.dtype, await last.readFloat32(count)];
    await last.close();
    const state = await readFile(inFolder('long', 'last', 'training', 'state.json'), 'utf8');
    const { updates } = JSON.parse(state) as { updates: number };
    expect([dtype, batches]).toEqual(['I64', updates]);
  });

  it('does not end when nobody reads its output any more', async () => {
    const args = await pretrainArguments('piped', { heads: { epochs: 0 } });
    const command = '"$0" "$@" | head -n 1; exit "${PIPESTATUS[0]}"';
    const child = spawn('bash', ['-c', command, process.execPath, MAIN, ...args]);
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(await exists(inFolder('piped', 'checkpoint', 'onnx', 'text_model.onnx'))).toBe(true);
  });

  it('is refused at once where its folder cannot be made', async () => {
    await writeFile(inFolder('a-file'), '');
    const args = await pretrainArguments('a-file/run', {});
    const { code, stdout, stderr } = await trainer(...args, '--data', inFolder('no-data'));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`--output ${inFolder('a-file/run')} cannot be written`);
  });

  it('leaves no folder behind when its input is refused', async () => {
    const args = await pretrainArguments('refused', {});
    expect((await trainer(...args, '--data', inFolder('no-data'))).code).toBe(2);
    expect(await exists(inFolder('refused'))).toBe(false);
  });

  it('remembers on resuming that a stage has ended early, and exports captions of three tokens', async () => {
    const args = await pretrainArguments('early', {
      model: { max_length_corpus: 3 },
      heads: { epochs: 0 },
      everything: { epochs: 50, early_stopping: 2, learning_rate: 1e-30, weight_decay: 0 },
    });
    const finished = await trainer(...args);
    expect([finished.code, finished.stderr]).toEqual([0, '']);
    expect(finished.stdout).toContain('no better for 2 epochs: the stage ends here');
    const validations = async () =>
      (await readFile(inFolder('early', 'metrics.jsonl'), 'utf8')).match(/"kind":"validation"/g)!.length;
    expect(await validations()).toBe(3);
    // As a kill leaves it between the end of the epoch and the end of the stage.
    const file = inFolder('early', 'last', 'training', 'state.json');
    const state = JSON.parse(await readFile(file, 'utf8')) as object;
    const ended = { ...state, stage: 0, epoch: 3, step: 0, staleEpochs: 2, finished: false };
    await writeFile(file, JSON.stringify(ended));
    await rm(inFolder('early', 'checkpoint', 'onnx'), { recursive: true });
    const resumed = await trainer(...args);
    expect([resumed.code, resumed.stderr]).toEqual([0, '']);
    expect(await validations()).toBe(3);
    expect(await exists(inFolder('early', 'checkpoint', 'onnx', 'text_model.onnx'))).toBe(true);
  });
});

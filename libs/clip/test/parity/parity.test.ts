import { copyFile, cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { afterAll, describe, expect, it } from 'vitest';
import { loadVisionTower } from '../../src/model/load-model.js';
import { saveWeights } from '../../src/model/weights/save.js';
import { eachOnce, GOLDEN, goldenFolders } from '../golden-folders.js';
import { checkFolder, describeResult } from './check.js';
import { checkTraining, describeTraining } from './check-training.js';
import { createRunnerOn } from './runners.js';

const models = goldenFolders('models');
// Plain JavaScript is slow: each model once, and batch norm in training mode not at all, which shows nothing more.
const cases = [
  ['cpu', eachOnce(models)],
  ['onnxruntime', [...models, ...goldenFolders('models-training-mode')]],
] as const;

it('the golden data of the project take less than 3 MB', async () => {
  const entries = await readdir(GOLDEN, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3e6);
});

describe('towers against transformers', () => {
  afterAll(() => tf.setBackend('cpu'));

  describe.each(cases)('on the backend %s', (backend, folders) => {
    it.each(folders)('$name: outputs and all gradients', async ({ path }) => {
      await tf.setBackend(backend);
      const result = await checkFolder(path);
      expect(result.passed, describeResult(result)).toBe(true);
    });
  });

  it('a model that differs in one weight fails, and the line names a tensor', async () => {
    const golden = join(GOLDEN, 'models/vit');
    const folder = await mkdtemp(join(tmpdir(), 'clip-parity-'));
    for (const file of ['config.json', 'golden.safetensors'])
      await copyFile(join(golden, file), join(folder, file));
    const { tower, tensors } = await loadVisionTower(golden);
    const name = 'encoder.layer.1.output.dense.bias';
    const bias = Float32Array.from(tensors[name]!.data, (value, i) => (i === 0 ? value + 0.01 : value));
    await saveWeights(folder, tower.specs, { ...tensors, [name]: { ...tensors[name]!, data: bias } });
    const result = await checkFolder(folder);
    expect(result.passed).toBe(false);
    expect(describeResult(result)).toMatch(/^FAIL .*worst \d\.\de-\d \((last_hidden_state|pooler_output)\)/);
    await rm(folder, { recursive: true });
  });
});

const FINE_TUNING = /finetune|lit/;

describe('fine-tuning of whole CLIP and SigLIP models against transformers and PyTorch', () => {
  afterAll(() => tf.setBackend('cpu'));

  it.each(goldenFolders('training').filter(({ path }) => FINE_TUNING.test(path)))(
    '$name: first step, trajectory and final weights',
    async ({ path }) => {
      await tf.setBackend('onnxruntime');
      const result = await checkTraining(path, await createRunnerOn('onnxruntime'));
      expect(result.failures, describeTraining(result)).toEqual([]);
    },
  );

  /** A copy of a folder with trajectory.json changed. */
  async function altered(name: string, change: (trajectory: Trajectory) => void): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'clip-trajectory-'));
    await cp(join(GOLDEN, 'training', name), folder, { recursive: true });
    const file = join(folder, 'trajectory.json');
    const trajectory = JSON.parse(await readFile(file, 'utf8')) as Trajectory;
    change(trajectory);
    await writeFile(file, JSON.stringify(trajectory));
    return folder;
  }
  type Trajectory = { options: Record<string, unknown>; log: Record<string, number>[] };

  it.each([
    ['another decay', 'clip-finetune', { layer_decay: 0.5 }, ['loss', 'gradient norm']],
    ['no label smoothing', 'clip-finetune', { label_smoothing: 0 }, ['gradients', 'loss', 'gradient norm']],
    ['the other loss', 'siglip-finetune', { loss: 'softmax' }, ['gradients', 'loss', 'gradient norm']],
  ])('a run with %s is found out', async (_, name, options, failures) => {
    await tf.setBackend('onnxruntime');
    const folder = await altered(name, (trajectory) => Object.assign(trajectory.options, options));
    const result = await checkTraining(folder, await createRunnerOn('onnxruntime'));
    expect(describeTraining(result)).toMatch(/^FAIL /);
    expect(result.failures).toEqual(expect.arrayContaining(failures));
    await rm(folder, { recursive: true });
  });

  it.each([
    ['an option', { momentum: 0.9 }, /Unrecognized key: "momentum"/],
    ['a schedule', { schedule: 'constant' }, /options\.schedule: .*"linear"\|"cosine"/],
    ['smoothing of the sigmoid loss', { loss: 'sigmoid', label_smoothing: 0.1 }, /no targets to smooth/],
  ])('%s that cannot be followed is refused by name', async (_, options, message) => {
    const folder = await altered('siglip-finetune', (trajectory) =>
      Object.assign(trajectory.options, options),
    );
    await expect(checkTraining(folder)).rejects.toThrow(message);
    await rm(folder, { recursive: true });
  });
});

import { copyFile, mkdtemp, rm } from 'node:fs/promises';
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

const models = goldenFolders('models');
// Plain JavaScript is slow: each model once, and batch norm in training mode not at all, which shows nothing more.
const cases = [
  ['cpu', eachOnce(models)],
  ['onnxruntime', [...models, ...goldenFolders('models-training-mode')]],
] as const;

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

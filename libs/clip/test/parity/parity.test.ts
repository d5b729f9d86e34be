import { readdirSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { afterAll, describe, expect, it } from 'vitest';
import { loadVisionTower } from '../../src/model/load-model.js';
import { saveWeights } from '../../src/model/weights/save.js';
import { checkFolder, describeResult } from './check.js';

const data = process.env.CLIP_TEST_DATA;
const foldersOf = (parent: string) =>
  data === undefined ? [] : readdirSync(join(data, parent)).map((name) => `${parent}/${name}`);
const models = foldersOf('golden/models');
// Batch norm in training mode on the backend of plain JavaScript takes long and shows nothing more.
const cases = [
  ['cpu', models],
  ['onnxruntime', [...models, ...foldersOf('golden/models-training-mode')]],
] as const;

describe.skipIf(!data)('towers against transformers (needs CLIP_TEST_DATA)', () => {
  afterAll(() => tf.setBackend('cpu'));

  describe.each(cases)('on the backend %s', (backend, folders) => {
    it.each(folders)('%s: outputs and all gradients', async (folder) => {
      await tf.setBackend(backend);
      const result = await checkFolder(join(data!, folder));
      expect(result.passed, describeResult(result)).toBe(true);
    });
  });

  it('a model that differs in one weight fails, and the line names a tensor', async () => {
    const golden = join(data!, 'golden/models/vit');
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

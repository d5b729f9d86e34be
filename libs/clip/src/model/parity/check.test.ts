import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { afterAll, describe, expect, it } from 'vitest';
import { checkFolder, describeResult } from './check.js';

const data = process.env.CLIP_TEST_DATA;
const foldersOf = (parent: string) =>
  data === undefined ? [] : readdirSync(join(data, parent)).map((name) => `${parent}/${name}`);
// Batch norm in training mode on the backend of plain JavaScript takes long and shows nothing more.
const cases = [
  ['cpu', foldersOf('golden/models')],
  ['onnxruntime', [...foldersOf('golden/models'), ...foldersOf('golden/models-training-mode')]],
] as const;

describe.skipIf(!data)(
  'every architecture computes what transformers computes (needs CLIP_TEST_DATA)',
  () => {
    afterAll(() => tf.setBackend('cpu'));

    describe.each(cases)('on the backend %s', (backend, folders) => {
      it.each(folders)('%s: outputs and all gradients', async (folder) => {
        await tf.setBackend(backend);
        const result = await checkFolder(join(data!, folder));
        expect(result.passed, describeResult(result)).toBe(true);
      });
    });
  },
);

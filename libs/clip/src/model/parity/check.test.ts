import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkFolder } from './check.js';

const data = process.env.CLIP_TEST_DATA;

describe.skipIf(!data)('towers compute what transformers computes (needs CLIP_TEST_DATA)', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });
  const folders = ['vit', 'vit-image-classification', 'roberta', 'roberta-masked-lm', 'xlm-roberta', 'bert'];
  it.each(folders)('%s: outputs and all gradients', async (folder) => {
    const result = await checkFolder(join(data!, 'golden/models', folder));
    expect(result).toMatchObject({ passed: true });
  });
});

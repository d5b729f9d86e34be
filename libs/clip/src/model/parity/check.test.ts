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
  const folders = [
    'vit',
    'vit-image-classification',
    'roberta',
    'roberta-masked-lm',
    'xlm-roberta',
    'bert',
    'deit',
    'dinov2',
    'dinov2-swiglu',
    'swin',
    'swin-padded',
    'swin-window7',
    'swin-image-classification',
    'clip',
    'clip-legacy-eos',
    'siglip',
    'distilbert',
    'mpnet',
    'resnet',
    'convnext',
    'mobilenet-v2',
  ];
  it.each(folders)('%s: outputs and all gradients', async (folder) => {
    const result = await checkFolder(join(data!, 'golden/models', folder));
    process.stderr.write(JSON.stringify([folder, result.gradients, result.output, result.gradient]) + '\n');
    expect(result).toMatchObject({ passed: true });
  });
});

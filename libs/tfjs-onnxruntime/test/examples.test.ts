/** Training tf.layers models on the backend; packed.slow.test.ts runs the examples themselves. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { makePerceptron } from '../examples/mlp.mjs';
import { trainOnDigits } from '../examples/train.mjs';
import '../src/index.js';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

describe('tf.layers on the onnxruntime backend', () => {
  it('keeps no tensors of finished training steps', { timeout: 240_000 }, async () => {
    const model = makePerceptron();
    const tensorsAddedBy = async (epochs: number): Promise<number> => {
      const before = tf.memory().numTensors;
      await trainOnDigits(model, { epochs, trainSize: 64, testSize: 64 });
      return tf.memory().numTensors - before;
    };
    await tensorsAddedBy(1);
    // What a new optimiser keeps is the same for any number of steps.
    expect(await tensorsAddedBy(3)).toBe(await tensorsAddedBy(1));
    model.dispose();
  });
});

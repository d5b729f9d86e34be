/** tf.layers models train on the backend: the two examples, shortened. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeConvolutional } from '../examples/cnn.mjs';
import { makePerceptron } from '../examples/mlp.mjs';
import { trainOnDigits } from '../examples/train.mjs';
import '../src/index.js';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

describe('tf.layers on the onnxruntime backend', () => {
  it('trains a multilayer perceptron to read digits', { timeout: 240_000 }, async () => {
    const accuracy = await trainOnDigits(makePerceptron(), { epochs: 6, trainSize: 1024, testSize: 256 });
    expect(accuracy).toBeGreaterThan(0.8);
  });

  it('trains a small convolutional network to read digits', { timeout: 240_000 }, async () => {
    const accuracy = await trainOnDigits(makeConvolutional(), { epochs: 4, trainSize: 1024, testSize: 256 });
    expect(accuracy).toBeGreaterThan(0.8);
  });

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

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
    const accuracy = await trainOnDigits(makeConvolutional(), { epochs: 3, trainSize: 768, testSize: 256 });
    expect(accuracy).toBeGreaterThan(0.8);
  });

  it('keeps no tensors of finished training steps', { timeout: 240_000 }, async () => {
    const model = makePerceptron();
    await trainOnDigits(model, { epochs: 1, trainSize: 64, testSize: 64 });
    const before = tf.memory().numTensors;
    await trainOnDigits(model, { epochs: 2, trainSize: 128, testSize: 64 });
    // A new optimiser is compiled in each time; its two moments per variable and two powers stay with the model.
    expect(tf.memory().numTensors - before).toBeLessThanOrEqual(2 * model.trainableWeights.length + 4);
    model.dispose();
  });
});

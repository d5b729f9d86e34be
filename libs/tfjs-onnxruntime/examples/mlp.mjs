/**
 * A multilayer perceptron on an MNIST-like task, with tf.layers on the onnxruntime backend.
 *   node libs/tfjs-onnxruntime/examples/mlp.mjs
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { SIDE } from './digits.mjs';
import { trainOnDigits } from './train.mjs';

export function makePerceptron() {
  return tfl.sequential({
    layers: [
      tfl.layers.flatten({ inputShape: [SIDE, SIDE, 1] }),
      tfl.layers.dense({ units: 128, activation: 'relu' }),
      tfl.layers.dropout({ rate: 0.2 }),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

if (process.argv[1] === import.meta.filename) {
  await import('tfjs-onnxruntime');
  await tf.setBackend('onnxruntime');
  const accuracy = await trainOnDigits(makePerceptron(), {
    epochs: 5,
    trainSize: 4096,
    testSize: 1024,
    log: console.log,
  });
  console.log(`accuracy on unseen digits: ${(100 * accuracy).toFixed(1)} %`);
}

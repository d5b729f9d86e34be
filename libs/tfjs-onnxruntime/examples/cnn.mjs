/**
 * A small convolutional network on an MNIST-like task, with tf.layers on the onnxruntime backend.
 *   node libs/tfjs-onnxruntime/examples/cnn.mjs
 */
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { SIDE } from './digits.mjs';
import { trainOnDigits } from './train.mjs';

export function makeConvolutional() {
  return tfl.sequential({
    layers: [
      tfl.layers.conv2d({ inputShape: [SIDE, SIDE, 1], filters: 8, kernelSize: 3, activation: 'relu' }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.depthwiseConv2d({ kernelSize: 3, padding: 'same' }),
      tfl.layers.conv2d({ filters: 16, kernelSize: 3, padding: 'same', activation: 'relu' }),
      tfl.layers.batchNormalization({ momentum: 0.8 }),
      tfl.layers.averagePooling2d({ poolSize: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  });
}

if (process.argv[1] === import.meta.filename) {
  await import('tfjs-onnxruntime');
  await tf.setBackend('onnxruntime');
  const accuracy = await trainOnDigits(makeConvolutional(), {
    epochs: 3,
    trainSize: 4096,
    testSize: 1024,
    log: console.log,
  });
  console.log(`accuracy on unseen digits: ${(100 * accuracy).toFixed(1)} %`);
}

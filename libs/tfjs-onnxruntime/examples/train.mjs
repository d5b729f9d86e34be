/** What both examples do: train a tf.layers model on the digits and measure it on images it has not seen. */
import * as tf from '@tensorflow/tfjs-core';
import { makeDigits, SIDE } from './digits.mjs';

/**
 * @param {number} count
 * @param {number} seed
 */
function digitTensors(count, seed) {
  const { pixels, labels } = makeDigits(count, seed);
  return {
    x: tf.tensor4d(pixels, [count, SIDE, SIDE, 1]),
    y: tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), 10), 'float32'),
  };
}

/**
 * Trains `model` for some epochs with Adam and cross-entropy; returns the accuracy on the test images, in 0…1.
 * @param {import('@tensorflow/tfjs-layers').LayersModel} model  from images [N, 28, 28, 1] to probabilities [N, 10]
 * @param {{ epochs: number, trainSize: number, testSize: number, log?: (line: string) => void }} options
 */
export async function trainOnDigits(model, { epochs, trainSize, testSize, log }) {
  const train = digitTensors(trainSize, 1);
  const test = digitTensors(testSize, 2);
  model.compile({ optimizer: tf.train.adam(2e-3), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  await model.fit(train.x, train.y, {
    epochs,
    batchSize: 64,
    verbose: 0,
    callbacks: {
      onEpochEnd: (epoch, logs) =>
        log?.(`epoch ${epoch + 1}: loss ${logs?.loss?.toFixed(4)}, accuracy ${logs?.acc?.toFixed(4)}`),
    },
  });
  const [loss, accuracy] = /** @type {tf.Scalar[]} */ (model.evaluate(test.x, test.y, { verbose: 0 }));
  const [value] = /** @type {Float32Array} */ (await accuracy?.data());
  tf.dispose([train.x, train.y, test.x, test.y, loss ?? [], accuracy ?? []]);
  return value ?? NaN;
}

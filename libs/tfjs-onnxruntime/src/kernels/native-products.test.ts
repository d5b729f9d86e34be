/** Products of weight gradients in the native addon against ONNX Runtime's. */
import * as tf from '@tensorflow/tfjs-core';
import { agreesWithComposedOps, numbers, withNaN, type NativeCase } from '../../test/native-cases.js';

const transposed = (K: number, M: number, N: number, left = numbers([K, M], 1)): NativeCase => ({
  inputs: { left, right: numbers([K, N], 2) },
  f: ({ left: a, right: b }) => ({ y: tf.matMul(a!, b!, true, false) }),
  results: { y: [M, N] },
  // Both round a sum of K products, each in an order of its own.
  tolerance: 1e-5,
});

agreesWithComposedOps('weight gradients of the native addon', {
  'whole strips in one tile': transposed(256, 24, 64),
  'several tiles': transposed(300, 393, 515),
  'strips with tails on both sides': transposed(257, 37, 45),
  'fewer columns than a strip': transposed(260, 8, 9),
  // What is left of 40,001 numbers that nearly cancel depends on their order.
  'few columns and many rows, summed in parts': { ...transposed(40_001, 16, 24), tolerance: 3e-5 },
  'NaN in one column': transposed(300, 20, 40, withNaN([300, 20])),
  'less than the addon takes': transposed(20, 7, 5),
  'no rows': transposed(0, 16, 16),
});

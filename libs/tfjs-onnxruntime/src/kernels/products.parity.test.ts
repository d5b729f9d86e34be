/** Matrix products against tfjs's own cpu backend: values and, where a function is differentiable, gradients. */
import * as tf from '@tensorflow/tfjs-core';
import { agreesWithCpu } from '../../test/cpu-parity.js';

agreesWithCpu('matrix products', {
  'matrix products with every transposition': {
    shapes: [
      [3, 4],
      [4, 5],
    ],
    f: (a, b) => [
      tf.matMul(a, b),
      tf.matMul(tf.transpose(a), b, true),
      tf.matMul(a, tf.transpose(b), false, true),
      tf.matMul(tf.transpose(a), tf.transpose(b), true, true),
    ],
  },
  'products over many rows, with results wider than high': {
    shapes: [
      [1024, 64],
      [1024, 128],
      [1024, 512],
    ],
    grad: false, // another product of the same kind
    // Sums of 1024 terms, brought to the size of one.
    f: (a, wide, veryWide) => [wide, veryWide].map((b) => tf.mul(tf.matMul(a, b, true), 1 / 32)),
  },
  'batched products': {
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    f: (a, b) => [tf.matMul(a, b), tf.matMul(a, a, true, false), tf.matMul(a, a, false, true)],
  },
  'products with a shared matrix': {
    shapes: [
      [2, 2, 3, 4],
      [1, 1, 4, 5],
    ],
    grad: false, // tfjs-core does not sum the gradient of the shared matrix
    f: (a, b) => tf.matMul(a, b),
  },
  'fused product': {
    shapes: [[3, 4], [4, 5], [5]],
    f: (a, b, bias) => tf.fused.matMul({ a: a, b: b, bias: bias, activation: 'relu' }),
  },
  einsum: {
    shapes: [
      [2, 3],
      [3, 4],
    ],
    grad: false,
    f: (a, b) => tf.einsum('ij,jk->ik', a, b),
  },
});

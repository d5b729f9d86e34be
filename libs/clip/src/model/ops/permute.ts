/**
 * Reordering tokens by a fixed permutation: one gather forward, one gather (of the inverse) backward.
 */
import * as tf from '@tensorflow/tfjs-core';

/**
 * y[:, i] = x[:, order[i]]
 * @param x [B, T, D]
 * @param order a permutation of 0 … T - 1
 */
export function permuteTokens(x: tf.Tensor, order: Int32Array): tf.Tensor {
  const inverse = inversePermutation(order);
  const permute = tf.customGrad((input) => ({
    value: tf.gather(input as tf.Tensor, tf.tensor1d(order, 'int32'), 1),
    gradFunc: (dy: tf.Tensor) => tf.gather(dy, tf.tensor1d(inverse, 'int32'), 1),
  }));
  return permute(x);
}

/** inverse[order[i]] = i */
export function inversePermutation(order: Int32Array): Int32Array {
  const inverse = new Int32Array(order.length);
  order.forEach((source, target) => (inverse[source] = target));
  return inverse;
}

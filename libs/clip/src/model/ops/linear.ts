/**
 * y = x Wᵀ + b as one matrix product over all rows.
 */
import * as tf from '@tensorflow/tfjs-core';

/**
 * @param x [..., I]
 * @param weight [O, I], PyTorch's layout
 * @param bias [O]
 * @returns [..., O]
 */
export function linear(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const inner = x.shape[x.rank - 1]!;
  const outer = weight.shape[0];
  const rows = x.rank === 2 ? x : tf.reshape(x, [x.size / inner, inner]);
  const product = tf.matMul(rows, weight, false, true);
  const sum = bias === undefined ? product : tf.add(product, bias);
  return x.rank === 2 ? sum : tf.reshape(sum, [...x.shape.slice(0, -1), outer]);
}

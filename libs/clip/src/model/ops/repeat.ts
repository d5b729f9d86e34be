/**
 * One tensor for every item of a batch. The gradient is one sum, where that of `tf.tile` is a sum of slices.
 */
import * as tf from '@tensorflow/tfjs-core';

/** x [R, ...] → [B·R, ...]: B copies, one after the other. */
export function repeatBatch(x: tf.Tensor, B: number): tf.Tensor {
  const repeat = tf.customGrad((input) => ({
    value: tf.tile(input as tf.Tensor, [B, ...x.shape.slice(1).map(() => 1)]),
    gradFunc: (dy: tf.Tensor) => tf.reshape(tf.sum(tf.reshape(dy, [B, x.size]), 0), x.shape),
  }));
  return repeat(x);
}

/** 0, 1, … T - 1 as int32 [T], cut from a table of `max`: in an exported graph T can then stay dynamic. */
export function positionIds(T: number, max: number): tf.Tensor1D {
  return tf.slice(tf.range(0, max, 1, 'int32'), [0], [T]);
}

/** Picking tokens out of a sequence. */
import * as tf from '@tensorflow/tfjs-core';

/** [B, T, D] → [B, D]: the first token. */
export function firstToken(x: tf.Tensor): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number];
  return tf.reshape(tf.slice(x, [0, 0, 0], [B, 1, D]), [B, D]);
}

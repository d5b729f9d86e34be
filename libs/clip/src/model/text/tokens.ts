/** What text towers share: checking their input, and RoBERTa's positions. */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';

/** @throws ClipError CONFIG_INVALID when a batch of texts is longer than the tower's position table. */
export function checkTokens(input_ids: tf.Tensor, maxTokens: number): void {
  const T = input_ids.shape[1];
  if (input_ids.rank === 2 && T! <= maxTokens) return;
  throw new ClipError('CONFIG_INVALID', 'input_ids do not fit the text tower', {
    expected: `[B, T] with T of at most ${maxTokens}`,
    found: `[${input_ids.shape.join(', ')}]`,
    hint: 'Truncate the texts',
  });
}

/** 1, 2, … at tokens and 0 at padding, shifted by `padding`: int32 [B, T]. */
export function positionsFromPadding(input_ids: tf.Tensor, padding: number): tf.Tensor {
  const present = tf.cast(tf.notEqual(input_ids, tf.scalar(padding, 'int32')), 'int32');
  return tf.add(tf.mul(tf.cumsum(present, 1), present), tf.scalar(padding, 'int32'));
}

/** Picking tokens out of a sequence. */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import { positionIds } from './repeat.js';

/** [B, T, D] → [B, D]: the first token. */
export function firstToken(x: tf.Tensor): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number];
  return tf.reshape(tf.slice(x, [0, 0, 0], [B, 1, D]), [B, D]);
}

/** The tokens whose outputs a block computes: [B, T, D] → [B, T, D], or [B, 1, D] when the first is all that is read. */
export function outputTokens(x: tf.Tensor, { outputPositions }: ForwardContext): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number];
  return outputPositions === 'first' ? tf.slice(x, [0, 0, 0], [B, 1, D]) : x;
}

/**
 * The token at one place of each sequence.
 * @param x [B, T, D]
 * @param position [B] int32, 0 … T - 1
 * @param maxTokens the largest T that the tower takes
 * @returns [B, D]
 */
export function tokenAt(x: tf.Tensor, position: tf.Tensor, maxTokens: number): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  const positions = positionIds(T, maxTokens);
  const chosen = tf.cast(tf.equal(tf.reshape(position, [B, 1]), positions), 'float32'); // [B, T]
  return tf.reshape(tf.matMul(tf.reshape(chosen, [B, 1, T]), x), [B, D]);
}

/** [B, T, D] → [B, D]: the last token. */
export function lastToken(x: tf.Tensor): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  return tf.reshape(tf.slice(x, [0, T - 1, 0], [B, 1, D]), [B, D]);
}

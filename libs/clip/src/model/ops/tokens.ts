/** Picking tokens out of a sequence. */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../types.js';
import { positionsBelow } from './repeat.js';

/** [B, T, D] → [B, D]: the first token. */
export function firstToken(x: tf.Tensor): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number];
  return tf.reshape(tf.slice(x, [0, 0, 0], [B, 1, D]), [B, D]);
}

/** The tokens whose outputs a block shall compute. */
export type Wanted = 'all tokens' | 'first token';

/** What block `index` of `blocks` shall compute, in a tower that pools its first token. */
export function wantedOf(index: number, blocks: number, ctx: ForwardContext): Wanted {
  return ctx.firstTokenOnly && index === blocks - 1 ? 'first token' : 'all tokens';
}

/** [B, T, D] → [B, T, D] or [B, 1, D] */
export function wantedTokens(x: tf.Tensor, wanted: Wanted): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number];
  return wanted === 'all tokens' ? x : tf.slice(x, [0, 0, 0], [B, 1, D]);
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
  const places = positionsBelow(T, maxTokens);
  const chosen = tf.cast(tf.equal(tf.reshape(position, [B, 1]), places), 'float32'); // [B, T]
  return tf.reshape(tf.matMul(tf.reshape(chosen, [B, 1, T]), x), [B, D]);
}

/** [B, T, D] → [B, D]: the last token. */
export function lastToken(x: tf.Tensor): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  return tf.reshape(tf.slice(x, [0, T - 1, 0], [B, 1, D]), [B, D]);
}

/**
 * The attention of a block, from its input to the context of each token whose output is read.
 * B batch, T tokens, D width, H heads, K = D / H head size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import type { Linear } from '../layers/index.js';
import { attention, outputTokens, type AttentionOptions } from '../ops/index.js';

/** The linear layers [..., D] → [..., D] of an attention. */
export interface Projections {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
}

/**
 * @param x [B, T, D]
 * @returns [B, T, D], or [B, 1, D] when the first position's output is all that is read
 */
export function selfAttention(
  { query, key, value }: Projections,
  x: tf.Tensor,
  options: AttentionOptions,
  ctx: ForwardContext,
): tf.Tensor {
  const queries = query(outputTokens(x, ctx));
  const mask = options.mask === undefined ? undefined : maskOfOutputs(options.mask, ctx);
  const dropsProbabilities = ctx.training && (options.dropoutRate ?? 0) > 0;
  if (ctx.outputPositions === 'first' && !dropsProbabilities) {
    return singleQueryAttention(queries, key, value, x, { ...options, mask });
  }
  return attention(queries, key(x), value(x), { ...options, mask }, ctx);
}

/** The rows of a mask [·, ·, T or 1, T] that belong to the queries whose outputs are read. */
function maskOfOutputs(mask: tf.Tensor, { outputPositions }: ForwardContext): tf.Tensor {
  const [B, H, rows, T] = mask.shape as [number, number, number, number];
  return outputPositions !== 'first' || rows === 1 ? mask : tf.slice(mask, [0, 0, 0, 0], [B, H, 1, T]);
}

/**
 * The context of one query without keys and values of all tokens: a score q·(W_k x + b_k) is (W_kᵀ q)·x + q·b_k, and
 * the weighted sum of W_v x + b_v is W_v applied to the weighted sum of x. So the two projections, which are most of
 * the work, see one vector per head instead of T tokens.
 * @param query [B, 1, D]
 * @param x [B, T, D]
 * @returns [B, 1, D]
 */
function singleQueryAttention(
  query: tf.Tensor,
  key: Linear,
  value: Linear,
  x: tf.Tensor,
  { numHeads: H, mask }: AttentionOptions,
): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  const K = D / H;
  const splitHeads = (tensor: tf.Tensor) => tf.reshape(tensor, [H, K, -1]); // [H, K, D], or [H, K, 1] of a bias
  const swap = (tensor: tf.Tensor) => tf.transpose(tensor, [1, 0, 2]);
  const scaled = tf.mul(swap(tf.reshape(query, [B, H, K])), 1 / Math.sqrt(K)); // [H, B, K]
  const directions = swap(tf.matMul(scaled, splitHeads(key.weight))); // [B, H, D]
  let scores = tf.matMul(directions, x, false, true); // [B, H, T]
  if (key.bias !== undefined) scores = tf.add(scores, swap(tf.matMul(scaled, splitHeads(key.bias))));
  if (mask !== undefined) {
    const [maskB, maskH] = mask.shape as [number, number];
    scores = tf.add(scores, tf.reshape(mask, [maskB, maskH, T]));
  }
  const mixed = swap(tf.matMul(tf.softmax(scores), x)); // [H, B, D]
  const values = tf.matMul(mixed, splitHeads(value.weight), false, true); // [H, B, K]
  const context = tf.reshape(swap(values), [B, 1, D]);
  return value.bias === undefined ? context : tf.add(context, value.bias);
}

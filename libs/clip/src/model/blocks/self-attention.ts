/**
 * The attention of a block, from its input to the context of each token that is wanted.
 * B batch, T tokens, D width, H heads, K = D / H head size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention, wantedTokens, type AttentionOptions, type Wanted } from '../ops/index.js';
import type { ForwardContext, Weights } from '../types.js';
import { linearLayer, param } from '../weights/params.js';

/** Names of the three linear layers. */
export interface Projections {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/**
 * @param x [B, T, D]
 * @returns [B, T, D], or [B, 1, D] when only the first token is wanted
 */
export function selfAttention(
  weights: Weights,
  projections: Projections,
  x: tf.Tensor,
  options: AttentionOptions,
  ctx: ForwardContext,
  wanted: Wanted,
): tf.Tensor {
  const query = linearLayer(weights, projections.query, wantedTokens(x, wanted));
  const dropsProbabilities = ctx.training && (options.dropoutRate ?? 0) > 0;
  if (wanted === 'first token' && !dropsProbabilities) {
    return contextOfOne(weights, projections, query, x, options);
  }
  const mask = options.mask === undefined ? undefined : maskOf(options.mask, wanted);
  const key = linearLayer(weights, projections.key, x);
  const value = linearLayer(weights, projections.value, x);
  return attention(query, key, value, { ...options, mask }, ctx);
}

/** The rows of a mask [·, ·, T or 1, T] that belong to the wanted queries. */
function maskOf(mask: tf.Tensor, wanted: Wanted): tf.Tensor {
  const [B, H, rows, T] = mask.shape as [number, number, number, number];
  return wanted === 'all tokens' || rows === 1 ? mask : tf.slice(mask, [0, 0, 0, 0], [B, H, 1, T]);
}

/**
 * The context of one query without keys and values of all tokens: a score q·(W_k x + b_k) is (W_kᵀ q)·x + q·b_k, and
 * the weighted sum of W_v x + b_v is W_v applied to the weighted sum of x. So the two projections, which are most of
 * the work, see one vector a head instead of T tokens.
 * @param query [B, 1, D]
 * @param x [B, T, D]
 * @returns [B, 1, D]
 */
function contextOfOne(
  weights: Weights,
  projections: Projections,
  query: tf.Tensor,
  x: tf.Tensor,
  { numHeads: H, mask }: AttentionOptions,
): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  const K = D / H;
  const ofHeads = (name: string) => tf.reshape(param(weights, name), [H, K, -1]); // [H, K, D], or [H, K, 1] of a bias
  const swap = (tensor: tf.Tensor) => tf.transpose(tensor, [1, 0, 2]);
  const scaled = tf.mul(swap(tf.reshape(query, [B, H, K])), 1 / Math.sqrt(K)); // [H, B, K]
  const directions = swap(tf.matMul(scaled, ofHeads(`${projections.key}.weight`))); // [B, H, D]
  let scores = tf.matMul(directions, x, false, true); // [B, H, T]
  if (weights[`${projections.key}.bias`] !== undefined) {
    scores = tf.add(scores, swap(tf.matMul(scaled, ofHeads(`${projections.key}.bias`))));
  }
  if (mask !== undefined) {
    const [maskB, maskH] = mask.shape as [number, number];
    scores = tf.add(scores, tf.reshape(maskOf(mask, 'first token'), [maskB, maskH, T]));
  }
  const mixed = swap(tf.matMul(tf.softmax(scores), x)); // [H, B, D]
  const values = tf.matMul(mixed, ofHeads(`${projections.value}.weight`), false, true); // [H, B, K]
  const context = tf.reshape(swap(values), [B, 1, D]);
  const bias = weights[`${projections.value}.bias`];
  return bias === undefined ? context : tf.add(context, bias);
}

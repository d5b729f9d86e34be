/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017).
 * B batch, T query tokens, S key tokens, D width, H heads, K = D / H head size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import { dropout } from './dropout.js';
import { positionIds } from './repeat.js';
import { hasKernel, runKernel } from './kernels.js';

/** What a masked position adds to its score: half the lowest float32, so that two masks can be added. */
const MASKED = -1.7014117331926443e38;

export interface AttentionOptions {
  readonly numHeads: number;
  /** Added to the scores before the softmax, broadcastable to [B, H, T, S]. */
  readonly mask?: tf.Tensor;
  /** Dropout of the attention probabilities, in training. */
  readonly dropoutRate?: number;
}

/**
 * softmax(Q Kᵀ / √K + mask) V for each head.
 * @param query [B, T, D]
 * @param key [B, S, D]
 * @param value [B, S, D]
 * @returns [B, T, D]
 */
export function attention(
  query: tf.Tensor,
  key: tf.Tensor,
  value: tf.Tensor,
  { numHeads, mask, dropoutRate = 0 }: AttentionOptions,
  ctx: ForwardContext,
): tf.Tensor {
  const [B, T, D] = query.shape as [number, number, number];
  const scale = 1 / Math.sqrt(D / numHeads);
  const dropsProbabilities = ctx.training && dropoutRate > 0;
  if (!dropsProbabilities && hasKernel('FusedAttention')) {
    const inputs = { query, key, value, ...(mask === undefined ? {} : { mask }) };
    return runKernel('FusedAttention', inputs, { numHeads, scale });
  }
  const q = tf.mul(splitHeads(query, numHeads), scale); // [B, H, T, K]
  const scores = tf.matMul(q, splitHeads(key, numHeads), false, true); // [B, H, T, S]
  const probabilities = tf.softmax(mask === undefined ? scores : tf.add(scores, mask));
  const context = tf.matMul(dropout(probabilities, dropoutRate, ctx), splitHeads(value, numHeads));
  return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [B, T, D]);
}

/** [B, T, D] → [B, H, T, K] */
function splitHeads(x: tf.Tensor, numHeads: number): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [B, T, numHeads, D / numHeads]), [0, 2, 1, 3]);
}

/**
 * The additive mask of a padded batch.
 * @param attentionMask [B, T] int32, 1 where there is a token
 * @returns [B, 1, 1, T]
 */
export function paddingMask(attentionMask: tf.Tensor): tf.Tensor {
  const [B, T] = attentionMask.shape as [number, number];
  const padding = tf.sub(1, tf.cast(attentionMask, 'float32'));
  return tf.reshape(tf.mul(padding, MASKED), [B, 1, 1, T]);
}

/**
 * The additive mask that hides later tokens.
 * @param maxTokens the largest T that the tower takes
 * @returns [1, 1, T, T]
 */
export function causalMask(T: number, maxTokens: number): tf.Tensor {
  const positions = positionIds(T, maxTokens);
  const later = tf.greater(tf.reshape(positions, [1, T]), tf.reshape(positions, [T, 1]));
  return tf.reshape(tf.mul(tf.cast(later, 'float32'), MASKED), [1, 1, T, T]);
}

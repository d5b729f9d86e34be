/**
 * The transformer block (Vaswani et al. 2017): attention and a feed-forward network, each beside a residual connection,
 * with layer norms after them (BERT) or before them (ViT). B batch, T tokens, D width.
 */
import * as tf from '@tensorflow/tfjs-core';
import { everyPosition, type ForwardContext } from '../context.js';
import type { Unary } from '../layers/index.js';
import { outputTokens, type AttentionOptions } from '../ops/index.js';
import { selfAttention, type Projections } from './attention.js';

/**
 * x [B, T, D] → [B, T, D], or [B, 1, D] when the first position's output is all that is read.
 * `mask` is added to the attention scores.
 */
export type Block = (x: tf.Tensor, ctx: ForwardContext, mask?: tf.Tensor) => tf.Tensor;

/** Blocks in order. Only the last may leave positions out: the outputs of the others are its keys and values. */
export function runBlocks(
  blocks: readonly Block[],
  x: tf.Tensor,
  ctx: ForwardContext,
  mask?: tf.Tensor,
): tf.Tensor {
  const last = blocks.length - 1;
  return blocks.reduce((input, block, i) => block(input, i === last ? ctx : everyPosition(ctx), mask), x);
}

/** The parts of a block by role; models name them differently. */
export interface BlockParts extends Pick<AttentionOptions, 'numHeads' | 'dropoutRate'> {
  readonly projections: Projections;
  /** From the heads' context to what the residual connection adds: the output projection, dropout, scaling. */
  readonly attended: (context: tf.Tensor, ctx: ForwardContext) => tf.Tensor;
  readonly attentionNorm: Unary;
  readonly feedForward: (x: tf.Tensor, ctx: ForwardContext) => tf.Tensor;
  readonly feedForwardNorm: Unary;
}

/** BERT's order: each layer norm follows its sum. */
export function postNormBlock({ projections, attended, feedForward, ...parts }: BlockParts): Block {
  const { numHeads, dropoutRate, attentionNorm, feedForwardNorm } = parts;
  return (x, ctx, mask) => {
    const context = selfAttention(projections, x, { numHeads, mask, dropoutRate }, ctx);
    const middle = attentionNorm(tf.add(attended(context, ctx), outputTokens(x, ctx)));
    return feedForwardNorm(tf.add(feedForward(middle, ctx), middle));
  };
}

/** ViT's order: each layer norm precedes its branch. */
export function preNormBlock({ projections, attended, feedForward, ...parts }: BlockParts): Block {
  const { numHeads, dropoutRate, attentionNorm, feedForwardNorm } = parts;
  return (x, ctx, mask) => {
    const context = selfAttention(projections, attentionNorm(x), { numHeads, mask, dropoutRate }, ctx);
    const middle = tf.add(outputTokens(x, ctx), attended(context, ctx));
    return tf.add(middle, feedForward(feedForwardNorm(middle), ctx));
  };
}

/**
 * Attention within windows of a grid of tokens, shifted or not, with a relative position bias (Swin, Liu et al. 2021).
 * B batch, h × w grid, M window side, N = M² tokens a window, C channels, H heads.
 */
import * as tf from '@tensorflow/tfjs-core';
import { attention, dropout, inversePermutation, permuteTokens, repeatBatch } from '../ops/index.js';
import type { ForwardContext, Weights } from '../types.js';
import { linearLayer, param } from '../weights/params.js';
import { relativePositionIndex, shiftMask, windowOrder } from './windows.js';

export interface Grid {
  readonly h: number;
  readonly w: number;
}

export interface WindowOptions {
  /** M */
  readonly windowSize: number;
  /** Tokens by which the windows move down and right; 0: none. */
  readonly shift: number;
  readonly numHeads: number;
  /** Of the attention probabilities and of the output. */
  readonly dropoutRate: number;
}

/** x [B, h·w, C] → [B, h·w, C]; a grid that is no multiple of M is padded with zeros and cropped. */
export function windowAttention(
  weights: Weights,
  name: string,
  x: tf.Tensor,
  { h, w }: Grid,
  { windowSize: M, shift, numHeads, dropoutRate }: WindowOptions,
  ctx: ForwardContext,
): tf.Tensor {
  const [B, , C] = x.shape as [number, number, number];
  const whole = { h: Math.ceil(h / M) * M, w: Math.ceil(w / M) * M };
  const windows = (whole.h * whole.w) / (M * M);
  const order = windowOrder(whole.h, whole.w, M, shift);
  const tokens = tf.reshape(permuteTokens(padGrid(x, { h, w }, whole), order), [B * windows, M * M, C]);
  const table = param(weights, `${name}.self.relative_position_bias_table`);
  const context = attention(
    linearLayer(weights, `${name}.self.query`, tokens),
    linearLayer(weights, `${name}.self.key`, tokens),
    linearLayer(weights, `${name}.self.value`, tokens),
    { numHeads, mask: windowMask(table, whole, B, M, shift), dropoutRate },
    ctx,
  );
  const output = dropout(linearLayer(weights, `${name}.output.dense`, context), dropoutRate, ctx);
  const placed = permuteTokens(tf.reshape(output, [B, whole.h * whole.w, C]), inversePermutation(order));
  if (whole.h === h && whole.w === w) return placed;
  const cropped = tf.slice(tf.reshape(placed, [B, whole.h, whole.w, C]), [0, 0, 0, 0], [B, h, w, C]);
  return tf.reshape(cropped, [B, h * w, C]);
}

/**
 * The relative position bias, and what keeps tokens apart that the shift brought together.
 * @param table [(2M - 1)², H]
 * @returns [1, H, N, N], or [B · windows, H, N, N] for shifted windows
 */
function windowMask(table: tf.Tensor, { h, w }: Grid, B: number, M: number, shift: number): tf.Tensor {
  const N = M * M;
  const H = table.shape[1]!;
  const rows = tf.gather(table, tf.tensor1d(relativePositionIndex(M), 'int32')); // [N·N, H]
  const bias = tf.transpose(tf.reshape(rows, [1, N, N, H]), [0, 3, 1, 2]);
  if (shift === 0) return bias;
  const windows = (h * w) / N;
  const apart = tf.tensor(shiftMask(h, w, M, shift), [windows, 1, N, N]);
  return repeatBatch(tf.add(apart, bias), B);
}

/** Zeros below and to the right: [B, h·w, C] → [B, to.h·to.w, C]. */
export function padGrid(x: tf.Tensor, { h, w }: Grid, to: Grid): tf.Tensor {
  if (to.h === h && to.w === w) return x;
  const [B, , C] = x.shape as [number, number, number];
  const rows = [0, to.h - h] as [number, number];
  const columns = [0, to.w - w] as [number, number];
  const padded = tf.pad(tf.reshape(x, [B, h, w, C]), [[0, 0], rows, columns, [0, 0]]);
  return tf.reshape(padded, [B, to.h * to.w, C]);
}

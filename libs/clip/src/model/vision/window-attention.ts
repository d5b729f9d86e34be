/**
 * Attention within windows of a grid of tokens, shifted or not, with a relative position bias (Swin, Liu et al. 2021).
 * B batch, h × w grid, M window side, N = M² tokens a window, C channels, H heads.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import {
  integerBuffer,
  layer,
  linear,
  parameter,
  queryKeyValue,
  values,
  ZEROS,
  type Layer,
} from '../layers/index.js';
import { attention, dropout, inversePermutation, permuteTokens, repeatBatch } from '../ops/index.js';
import type { Initializer } from '../types.js';
import { relativePositionIndex, shiftMask, windowOrder } from './windows.js';

export interface Grid {
  readonly h: number;
  readonly w: number;
}

export interface WindowOptions {
  /** M */
  readonly windowSize: number;
  readonly numHeads: number;
  /** Of the projections to queries, keys and values. */
  readonly qkvBias: boolean;
  /** Of the attention probabilities and of the output. */
  readonly dropoutRate: number;
}

/**
 * x [B, h·w, C] → [B, h·w, C]; a grid that is no multiple of M is padded with zeros and cropped. The windows lie
 * `shift` tokens further down and right than the grid's corner.
 */
export type WindowAttention = (x: tf.Tensor, grid: Grid, shift: number, ctx: ForwardContext) => tf.Tensor;

export function windowAttention(
  C: number,
  { windowSize: M, numHeads: H, qkvBias, dropoutRate }: WindowOptions,
  init: Initializer,
): Layer<WindowAttention> {
  return layer(
    {
      self: {
        relative_position_bias_table: parameter([(2 * M - 1) ** 2, H], ZEROS),
        relative_position_index: integerBuffer([M * M, M * M], values(relativePositionIndex(M))),
        ...queryKeyValue(C, init, qkvBias),
      },
      output: { dense: linear(C, C, init) },
    },
    ({ self: { relative_position_bias_table, query, key, value }, output }) =>
      (x, { h, w }, shift, ctx) => {
        const B = x.shape[0];
        const whole = { h: Math.ceil(h / M) * M, w: Math.ceil(w / M) * M };
        const windows = (whole.h * whole.w) / (M * M);
        const order = windowOrder(whole.h, whole.w, M, shift);
        const padded = permuteTokens(padGrid(x, { h, w }, whole), order);
        const tokens = tf.reshape(padded, [B * windows, M * M, C]); // [B · windows, N, C]
        const mask = windowMask(relative_position_bias_table, whole, B, M, shift);
        const options = { numHeads: H, mask, dropoutRate };
        const context = attention(query(tokens), key(tokens), value(tokens), options, ctx);
        const attended = tf.reshape(dropout(output.dense(context), dropoutRate, ctx), [
          B,
          whole.h * whole.w,
          C,
        ]);
        return cropGrid(permuteTokens(attended, inversePermutation(order)), whole, { h, w });
      },
  );
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

/** What {@link padGrid} added taken off: [B, from.h·from.w, C] → [B, h·w, C]. */
function cropGrid(x: tf.Tensor, from: Grid, { h, w }: Grid): tf.Tensor {
  if (from.h === h && from.w === w) return x;
  const [B, , C] = x.shape as [number, number, number];
  const cropped = tf.slice(tf.reshape(x, [B, from.h, from.w, C]), [0, 0, 0, 0], [B, h, w, C]);
  return tf.reshape(cropped, [B, h * w, C]);
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

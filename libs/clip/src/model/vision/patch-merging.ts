/** Swin's way from one stage to the next. B batch, h × w grid of tokens, C channels. */
import * as tf from '@tensorflow/tfjs-core';
import { layer, layerNorm, linear, type Layer } from '../layers/index.js';
import { permuteTokens } from '../ops/index.js';
import type { Initializer } from '../types.js';
import { padGrid, type Grid } from './window-attention.js';
import { mergeOrder } from './windows.js';

/** Four neighbours become one token of twice the width: x [B, h·w, C] → [B, ⌈h/2⌉·⌈w/2⌉, 2C]. */
export function patchMerging(
  C: number,
  epsilon: number,
  init: Initializer,
): Layer<(x: tf.Tensor, grid: Grid) => tf.Tensor> {
  const tensors = { norm: layerNorm(4 * C, epsilon), reduction: linear(4 * C, 2 * C, init, false) };
  return layer(tensors, ({ norm, reduction }) => (x: tf.Tensor, { h, w }: Grid) => {
    const even = { h: h + (h % 2), w: w + (w % 2) };
    const gathered = permuteTokens(padGrid(x, { h, w }, even), mergeOrder(even.h, even.w));
    return reduction(norm(tf.reshape(gathered, [x.shape[0], (even.h * even.w) / 4, 4 * C])));
  });
}

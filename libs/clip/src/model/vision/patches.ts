/**
 * What patch-based towers share: cutting an image into patches and embedding them as one matrix product (the
 * convolution whose stride is its kernel), counting them, and checking the image's size.
 * B batch, C channels, D width, P patches.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import { layer, parameter, ZEROS, type Layer, type Unary } from '../layers/index.js';
import { linear } from '../ops/index.js';
import type { Initializer } from '../types.js';

/** [height, width] */
export type Sides = readonly [number, number];

/** [h, w] of the grid of whole patches in an image. */
export function patchGrid([H, W]: Sides, [ph, pw]: Sides): Sides {
  return [Math.floor(H / ph), Math.floor(W / pw)];
}

/**
 * Embeds non-overlapping patches: pixels [B, C, H, W] → [B, h, w, D]. Pixels beyond the last whole patch are left out,
 * as a convolution does.
 */
export function patchEmbedding(
  channels: number,
  D: number,
  [ph, pw]: Sides,
  init: Initializer,
  { bias = true } = {},
): Layer<Unary> {
  const tensors = {
    weight: parameter([D, channels, ph, pw], init),
    bias: bias ? parameter([D], ZEROS) : undefined,
  };
  return layer(tensors, ({ weight, bias }) => (pixels) => {
    const [B, C, H, W] = pixels.shape as [number, number, number, number];
    const [h, w] = patchGrid([H, W], [ph, pw]);
    const whole =
      h * ph === H && w * pw === W ? pixels : tf.slice(pixels, [0, 0, 0, 0], [B, C, h * ph, w * pw]);
    const cells = tf.transpose(tf.reshape(whole, [B, C, h, ph, w, pw]), [0, 2, 4, 1, 3, 5]);
    const rows = tf.reshape(cells, [B * h * w, C * ph * pw]);
    return tf.reshape(linear(rows, tf.reshape(weight, [D, C * ph * pw]), bias), [B, h, w, D]);
  });
}

/** Zeros below and to the right up to whole patches: [B, C, H, W]. */
export function padToPatches(pixels: tf.Tensor, [ph, pw]: Sides): tf.Tensor {
  const [, , H, W] = pixels.shape as [number, number, number, number];
  const rows = [0, (ph - (H % ph)) % ph] as [number, number];
  const columns = [0, (pw - (W % pw)) % pw] as [number, number];
  return rows[1] + columns[1] === 0 ? pixels : tf.pad(pixels, [[0, 0], [0, 0], rows, columns]);
}

/** @throws ClipError CONFIG_INVALID when pixel_values do not have the shape [B, channels, height, width]. */
export function checkPixels(pixels: tf.Tensor, channels: number, size?: Sides): void {
  const [, C, H, W] = pixels.shape;
  if (pixels.rank === 4 && C === channels && (size === undefined || (H === size[0] && W === size[1]))) return;
  throw new ClipError('CONFIG_INVALID', 'pixel_values do not fit the vision tower', {
    expected: `[B, ${channels}, ${size?.join(', ') ?? 'H, W'}]`,
    found: `[${pixels.shape.join(', ')}]`,
  });
}

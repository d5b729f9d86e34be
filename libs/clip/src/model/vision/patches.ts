/**
 * Image → patch embeddings as one matrix product (the convolution whose stride is its kernel),
 * and what patch-based towers share: checking the image's size, resampling position embeddings.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import { linear } from '../ops/index.js';

/** [height, width] of a `size` field that is one number or a pair. */
export function pair(size: number | readonly [number, number]): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

/**
 * Embeds non-overlapping patches; pixels beyond the last whole patch are left out, as a convolution does.
 * @param pixels [B, C, H, W]
 * @param weight [D, C, ph, pw]
 * @param bias [D]
 * @returns [B, h, w, D] with h = ⌊H / ph⌋, w = ⌊W / pw⌋
 */
export function embedPatches(pixels: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [B, C, H, W] = pixels.shape as [number, number, number, number];
  const [D, , ph, pw] = weight.shape as [number, number, number, number];
  const [h, w] = [Math.floor(H / ph), Math.floor(W / pw)];
  const whole =
    h * ph === H && w * pw === W ? pixels : tf.slice(pixels, [0, 0, 0, 0], [B, C, h * ph, w * pw]);
  const cells = tf.transpose(tf.reshape(whole, [B, C, h, ph, w, pw]), [0, 2, 4, 1, 3, 5]);
  const rows = tf.reshape(cells, [B * h * w, C * ph * pw]);
  return tf.reshape(linear(rows, tf.reshape(weight, [D, C * ph * pw]), bias), [B, h, w, D]);
}

/** @throws ClipError CONFIG_INVALID when pixel_values do not have the shape [B, channels, height, width]. */
export function checkPixels(pixels: tf.Tensor, channels: number, size?: readonly [number, number]): void {
  const [, C, H, W] = pixels.shape;
  if (pixels.rank === 4 && C === channels && (size === undefined || (H === size[0] && W === size[1]))) return;
  throw new ClipError('CONFIG_INVALID', 'pixel_values do not fit the vision tower', {
    expected: `[B, ${channels}, ${size?.join(', ') ?? 'H, W'}]`,
    found: `[${pixels.shape.join(', ')}]`,
  });
}

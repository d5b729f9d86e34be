/**
 * Convolutions in NHWC with PyTorch's weights. B batch, H × W pixels, C input and O output channels. 1 × 1 kernels, and
 * kernels as wide as their stride, become matrix products.
 */
import * as tf from '@tensorflow/tfjs-core';
import { linear } from './linear.js';

/** [B, C, H, W] → [B, H, W, C] */
export function toChannelsLast(x: tf.Tensor): tf.Tensor4D {
  return tf.transpose(x as tf.Tensor4D, [0, 2, 3, 1]);
}

/** [B, H, W, C] → [B, C, H, W] */
export function toChannelsFirst(x: tf.Tensor): tf.Tensor4D {
  return tf.transpose(x as tf.Tensor4D, [0, 3, 1, 2]);
}

export interface ConvOptions {
  readonly stride: number;
  /** A number pads all sides with as many zeros; 'same' as TensorFlow does, more at the bottom and right. */
  readonly padding: number | 'same';
}

/**
 * @param x [B, H, W, C]
 * @param weight [O, C, kh, kw]
 * @returns [B, h, w, O]
 */
export function conv2d(x: tf.Tensor, weight: tf.Tensor, { stride, padding }: ConvOptions): tf.Tensor {
  const [O, C, kh, kw] = weight.shape as [number, number, number, number];
  if (kh === 1 && kw === 1) return linear(subsample(x, stride), tf.reshape(weight, [O, C]));
  const filter = tf.transpose(weight as tf.Tensor4D, [2, 3, 1, 0]);
  return tf.conv2d(padded(x, padding), filter, stride, padding === 'same' ? 'same' : 'valid');
}

/**
 * A depthwise convolution.
 * @param x [B, H, W, C]
 * @param weight [C, 1, kh, kw]
 * @param dilation distance between the kernel's taps; above 1 the stride must be 1
 */
export function depthwiseConv2d(
  x: tf.Tensor,
  weight: tf.Tensor,
  { stride, padding, dilation = 1 }: ConvOptions & { readonly dilation?: number },
): tf.Tensor {
  const filter = tf.transpose(weight as tf.Tensor4D, [2, 3, 0, 1]);
  if (dilation === 1) {
    return tf.depthwiseConv2d(padded(x, padding), filter, stride, padding === 'same' ? 'same' : 'valid');
  }
  return dilatedDepthwise(x, filter, dilation);
}

/**
 * A dilated kernel sees each residue class of rows and columns alone: the classes go into the batch, and an ordinary
 * convolution follows. Stride 1, padded with zeros to keep the size.
 */
function dilatedDepthwise(x: tf.Tensor, filter: tf.Tensor4D, d: number): tf.Tensor {
  const [B, H, W, C] = x.shape as [number, number, number, number];
  const [h, w] = [Math.ceil(H / d), Math.ceil(W / d)];
  const classes = tf.transpose(tf.reshape(padEnd(x, h * d, w * d), [B, h, d, w, d, C]), [2, 4, 0, 1, 3, 5]);
  const images: tf.Tensor4D = tf.reshape(classes, [d * d * B, h, w, C]);
  const convolved = tf.depthwiseConv2d(images, filter, 1, 'same');
  const back = tf.transpose(tf.reshape(convolved, [d, d, B, h, w, C]), [2, 3, 0, 4, 1, 5]);
  return tf.slice(tf.reshape(back, [B, h * d, w * d, C]), [0, 0, 0, 0], [B, H, W, C]);
}

/**
 * A convolution whose stride is its kernel; pixels beyond the last whole patch are left out.
 * @param x [B, H, W, C]
 * @param weight [O, C, p, p]
 * @param bias [O]
 * @returns [B, ⌊H/p⌋, ⌊W/p⌋, O]
 */
export function patchConv2d(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [B, H, W, C] = x.shape as [number, number, number, number];
  const [O, , p] = weight.shape as [number, number, number, number];
  const [h, w] = [Math.floor(H / p), Math.floor(W / p)];
  const whole = h * p === H && w * p === W ? x : tf.slice(x, [0, 0, 0, 0], [B, h * p, w * p, C]);
  const patches = tf.transpose(tf.reshape(whole, [B, h, p, w, p, C]), [0, 1, 3, 2, 4, 5]);
  const filter = tf.reshape(tf.transpose(weight, [0, 2, 3, 1]), [O, p * p * C]);
  return linear(tf.reshape(patches, [B, h, w, p * p * C]), filter, bias);
}

/** Maximum over k × k windows; `padding` cells around count as minus infinity. x [B, H, W, C]. */
export function maxPool2d(x: tf.Tensor, k: number, stride: number, padding: number): tf.Tensor {
  return tf.maxPool(padded(x, padding, LOWEST), k, stride, 'valid');
}

const LOWEST = -3.4028234663852886e38;

function padded(x: tf.Tensor, padding: number | 'same', value = 0): tf.Tensor4D {
  if (padding === 'same' || padding === 0) return x as tf.Tensor4D;
  return tf.pad(
    x as tf.Tensor4D,
    [
      [0, 0],
      [padding, padding],
      [padding, padding],
      [0, 0],
    ],
    value,
  );
}

/** x [B, H, W, C] with zeros below and to the right, up to `height` × `width`. */
function padEnd(x: tf.Tensor, height: number, width: number): tf.Tensor {
  const [, H, W] = x.shape as [number, number, number, number];
  return tf.pad(x, [
    [0, 0],
    [0, height - H],
    [0, width - W],
    [0, 0],
  ]);
}

/** Every `stride`-th row and column, from the first. */
function subsample(x: tf.Tensor, stride: number): tf.Tensor {
  if (stride === 1) return x;
  const [B, H, W, C] = x.shape as [number, number, number, number];
  const [h, w] = [Math.ceil(H / stride), Math.ceil(W / stride)];
  const cells = tf.reshape(padEnd(x, h * stride, w * stride), [B * h, stride, w, stride * C]);
  return tf.reshape(tf.slice(cells, [0, 0, 0, 0], [B * h, 1, w, C]), [B, h, w, C]);
}

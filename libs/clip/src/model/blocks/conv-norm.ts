/**
 * Convolution without bias, batch norm, activation: what ResNet and MobileNetV2 consist of, under the names that
 * transformers gives the parts in both. B batch, C input and O output channels; NHWC.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import { batchNorm, layer, parameter, type BatchNormOptions, type Layer } from '../layers/index.js';
import { activation } from '../ops/index.js';
import type { Initializer } from '../types.js';

/** x [B, H, W, C] → [B, h, w, O] */
export type ConvNorm = (x: tf.Tensor, ctx: ForwardContext) => tf.Tensor;

export interface ConvNormOptions {
  /** [O, C, kh, kw], or [C, 1, kh, kw] for a depthwise convolution. */
  readonly shape: readonly [number, number, number, number];
  readonly init: Initializer;
  readonly convolve: (x: tf.Tensor, weight: tf.Tensor) => tf.Tensor;
  readonly statistics: BatchNormOptions;
  /** The activation's name; absent: none. */
  readonly act?: string;
}

export function convNorm({ shape, init, convolve, statistics, act }: ConvNormOptions): Layer<ConvNorm> {
  const tensors = {
    convolution: { weight: parameter(shape, init) },
    normalization: batchNorm(shape[0], statistics),
  };
  return layer(tensors, ({ convolution, normalization }) => {
    const normed = (x: tf.Tensor, ctx: ForwardContext) => {
      if (ctx.batchNorm === 'training') return normalization.normalize(convolve(x, convolution.weight), ctx);
      // Scaled weights instead of a scaled result: the backward pass then needs no feature map but x.
      const { scale, shift } = normalization.affine();
      return tf.add(convolve(x, tf.mul(convolution.weight, tf.reshape(scale, [-1, 1, 1, 1]))), shift);
    };
    return (x, ctx) => (act === undefined ? normed(x, ctx) : activation(act)(normed(x, ctx)));
  });
}

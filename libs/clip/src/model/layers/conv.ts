/** Convolutions with a bias. B batch, C input and O output channels; NHWC. */
import * as tf from '@tensorflow/tfjs-core';
import { depthwiseConv2d, patchConv2d } from '../ops/index.js';
import type { Initializer } from '../types.js';
import type { Unary } from './dense.js';
import { ZEROS } from './initializers.js';
import { layer, parameter, type Layer } from './layer.js';

/** A p × p kernel of stride p: x [B, H, W, C] → [B, ⌊H/p⌋, ⌊W/p⌋, O]. */
export function patchConv(C: number, O: number, p: number, init: Initializer): Layer<Unary> {
  const tensors = { weight: parameter([O, C, p, p], init), bias: parameter([O], ZEROS) };
  return layer(
    tensors,
    ({ weight, bias }) =>
      (x: tf.Tensor) =>
        patchConv2d(x, weight, bias),
  );
}

/** A depthwise k × k kernel, padded with zeros to keep the size: [B, H, W, C]. */
export function depthwiseConv(C: number, k: number, init: Initializer): Layer<Unary> {
  const tensors = { weight: parameter([C, 1, k, k], init), bias: parameter([C], ZEROS) };
  const options = { stride: 1, padding: 'same' } as const;
  return layer(tensors, ({ weight, bias }) => {
    return (x: tf.Tensor) => tf.add(depthwiseConv2d(x, weight, options), bias);
  });
}

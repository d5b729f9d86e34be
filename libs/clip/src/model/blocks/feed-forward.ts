/** Feed-forward networks of transformer blocks, under the names of CLIP, SigLIP and DINOv2. D width, F inner width. */
import * as tf from '@tensorflow/tfjs-core';
import { layer, linear, ZEROS, type Layer, type Unary } from '../layers/index.js';
import { activation, silu } from '../ops/index.js';
import type { Initializer } from '../types.js';

export interface MlpInitializers {
  readonly fc1: Initializer;
  readonly fc2: Initializer;
  /** Of both; default zero. */
  readonly bias?: Initializer;
}

/** x [..., D] → [..., D] */
export function mlp(
  D: number,
  F: number,
  act: string,
  { fc1, fc2, bias = ZEROS }: MlpInitializers,
): Layer<Unary> {
  const tensors = { fc1: linear(D, F, fc1, bias), fc2: linear(F, D, fc2, bias) };
  return layer(
    tensors,
    ({ fc1, fc2 }) =>
      (x: tf.Tensor) =>
        fc2(activation(act)(fc1(x))),
  );
}

/** SwiGLU (Shazeer 2020), gate and value as one product: x [..., D] → [..., D]. */
export function swiglu(D: number, F: number, init: Initializer): Layer<Unary> {
  const tensors = { weights_in: linear(D, 2 * F, init), weights_out: linear(F, D, init) };
  return layer(tensors, ({ weights_in, weights_out }) => (x: tf.Tensor) => {
    const [gate, value] = tf.split(weights_in(x), 2, -1); // [..., F] each
    return weights_out(tf.mul(silu(gate!), value!));
  });
}

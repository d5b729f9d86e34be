/** The layers that every transformer is made of. */
import * as tf from '@tensorflow/tfjs-core';
import { embedding, layerNorm as normalise, linear as multiply } from '../ops/index.js';
import type { Initializer } from '../types.js';
import { ONES, ZEROS } from './initializers.js';
import { layer, parameter, type Layer } from './layer.js';

/** A function of one tensor. */
export type Unary = (x: tf.Tensor) => tf.Tensor;

/** x [..., I] → [..., O]; its tensors are exposed for attention that multiplies them in another order. */
export type Linear = Unary & {
  /** [O, I] */
  readonly weight: tf.Tensor;
  /** [O] */
  readonly bias: tf.Tensor | undefined;
};

/** @param bias how it starts; true: at zero; false: there is none */
export function linear(
  inputs: number,
  outputs: number,
  init: Initializer,
  bias: Initializer | boolean = true,
): Layer<Linear> {
  const tensors = {
    weight: parameter([outputs, inputs], init),
    bias: bias === false ? undefined : parameter([outputs], bias === true ? ZEROS : bias),
  };
  return layer(tensors, ({ weight, bias }) =>
    Object.assign((x: tf.Tensor) => multiply(x, weight, bias), { weight, bias }),
  );
}

/** The projections of an attention, D → D each. */
export const queryKeyValue = (D: number, init: Initializer, bias = true) => ({
  query: linear(D, D, init, bias),
  key: linear(D, D, init, bias),
  value: linear(D, D, init, bias),
});

/** Over the last axis, `size` wide. */
export function layerNorm(size: number, epsilon: number): Layer<Unary> {
  return layer(
    { weight: parameter([size], ONES), bias: parameter([size], ZEROS) },
    ({ weight, bias }) =>
      (x) =>
        normalise(x, weight, bias, epsilon),
  );
}

/** ids int32 [...] → [..., D] */
export type EmbeddingTable = Unary & {
  /** [V, D] */
  readonly weight: tf.Tensor;
  /** [count, D] */
  first(count: number): tf.Tensor;
};

/** @param paddingIndex the row that starts at zero, under a normal initialiser, and gets no gradient */
export function embeddingTable(
  rows: number,
  size: number,
  init: Initializer,
  paddingIndex?: number,
): Layer<EmbeddingTable> {
  const padded = init.kind === 'normal' && paddingIndex !== undefined;
  const start = padded ? { ...init, zeroRow: paddingIndex } : init;
  return layer({ weight: parameter([rows, size], start) }, ({ weight }) =>
    Object.assign((ids: tf.Tensor) => embedding(weight, ids, paddingIndex), {
      weight,
      first: (count: number) => tf.slice(weight, [0, 0], [count, size]),
    }),
  );
}

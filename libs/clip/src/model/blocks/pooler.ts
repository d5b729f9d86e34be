/** The pooler of BERT, copied by ViT and others: a dense layer and an activation on the first token. */
import type * as tf from '@tensorflow/tfjs-core';
import { layer, linear, optional, type Layer, type Unary } from '../layers/index.js';
import { firstToken } from '../ops/index.js';
import type { Initializer } from '../types.js';

/** x [B, T, D] → [B, O]. Checkpoints of task models lack it. */
export function firstTokenPooler(
  inputs: number,
  outputs: number,
  init: Initializer,
  activate: (x: tf.Tensor) => tf.Tensor,
): Layer<Unary> {
  const dense = linear(inputs, outputs, init);
  return optional(
    layer(
      { dense },
      ({ dense }) =>
        (x) =>
          activate(dense(firstToken(x))),
    ),
  );
}

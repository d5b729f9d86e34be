/** From a tower's features to embeddings: the projection of one side. B batch, D tower width, E embedding. */
import * as tf from '@tensorflow/tfjs-core';
import type { DualEncoderConfig } from './config/dual-encoder.js';
import type { ForwardContext } from './context.js';
import { layer, layerNorm, linear, normal, parameter, type Layer } from './layers/index.js';
import { dropout, gelu, linear as multiply } from './ops/index.js';

/** Layer norm of the residual head, as torch's default. */
const EPSILON = 1e-5;

/** features [B, D] → embeddings [B, E], unit-norm */
export type ProjectionHead = (features: tf.Tensor, ctx: ForwardContext) => tf.Tensor2D;

type HeadConfig = Pick<
  DualEncoderConfig,
  'kind' | 'projection_head' | 'projection_dim' | 'projection_dropout'
>;

/**
 * Linear head: p = W dropout(z). Residual head: p = W z, layer_norm(p + dropout(W_h gelu(p))). None: the features.
 * All are normalised.
 * @param D width of the features
 */
export function projectionHead(config: HeadConfig, D: number): Layer<ProjectionHead> {
  const { projection_dim: E, projection_dropout: rate } = config;
  const init = normal(config.kind === 'clip' ? D ** -0.5 : 0.02);
  if (config.projection_head === 'none') return layer({}, () => l2Normalize);
  const weight = parameter([E, D], init);
  if (config.projection_head === 'linear') {
    return layer(
      { weight },
      ({ weight }) =>
        (z, ctx) =>
          l2Normalize(multiply(dropout(z, rate, ctx), weight)),
    );
  }
  return layer(
    { weight, residual: linear(E, E, init, false), layer_norm: layerNorm(E, EPSILON) },
    ({ weight, residual, layer_norm }) =>
      (z, ctx) => {
        const p = multiply(z, weight); // [B, E]
        return l2Normalize(layer_norm(tf.add(p, dropout(residual(gelu(p)), rate, ctx))));
      },
  );
}

/**
 * Rows scaled to unit norm. A row of zeros, which a tower that ends in ReLU or a high dropout rate can give, stays as it
 * is and has a finite gradient.
 */
export function l2Normalize(x: tf.Tensor): tf.Tensor2D {
  const squares = tf.sum(tf.square(x), -1, true);
  const isZero = tf.sub(1, tf.step(squares));
  return tf.div(x, tf.sqrt(tf.add(squares, isZero)));
}

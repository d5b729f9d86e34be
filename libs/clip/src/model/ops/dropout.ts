/**
 * Dropout (Srivastava et al. 2014) and drop path, also called stochastic depth (Huang et al. 2016).
 *
 * Masks are a function of (seed, salt): the seed is a tensor that changes with each step, so a recorded
 * step can be replayed; the salt numbers the call sites of one pass.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../context.js';
import { hasKernel, runKernel } from './kernels.js';

/** Steps after which the composite's masks repeat. 2¹² leaves 12 of a float's 24 bits for the mask. */
const SEED_PERIOD = 4096;

/** Zeroes a fraction `rate` of x and scales the rest by 1 / (1 - rate), in training; otherwise returns x. */
export function dropout(x: tf.Tensor, rate: number, ctx: ForwardContext): tf.Tensor {
  if (!ctx.training || rate === 0) return x;
  if (ctx.seed === undefined) throw new Error('a forward pass in training mode needs ctx.seed');
  ctx.masks.drawn += 1;
  const salt = ctx.masks.drawn;
  if (hasKernel('FusedDropout')) return runKernel('FusedDropout', { x, seed: ctx.seed }, { rate, salt });
  return tf.mul(x, dropoutMask(x.shape, rate, ctx.seed, salt));
}

/** Drops whole samples of a residual branch x [B, ...] with probability `rate`, in training. */
export function dropPath(x: tf.Tensor, rate: number, ctx: ForwardContext): tf.Tensor {
  if (!ctx.training || rate === 0) return x;
  const perSample = tf.ones([x.shape[0], ...x.shape.slice(1).map(() => 1)]);
  return tf.mul(x, dropout(perSample, rate, ctx));
}

/**
 * u = frac(u₀ + k u₁) with k = seed mod 4096 and two fixed uniform fields u₀, u₁: uniform in each
 * element and step, and independent between any two elements and any two steps.
 */
function dropoutMask(shape: number[], rate: number, seed: tf.Tensor, salt: number): tf.Tensor {
  const k = tf.cast(tf.mod(tf.cast(seed, 'int32'), tf.scalar(SEED_PERIOD, 'int32')), 'float32');
  const offset = tf.randomUniform(shape, 0, 1, 'float32', 2 * salt);
  const slope = tf.randomUniform(shape, 0, 1, 'float32', 2 * salt + 1);
  const line = tf.add(offset, tf.mul(slope, k));
  const kept = tf.greaterEqual(tf.sub(line, tf.floor(line)), rate);
  return tf.mul(tf.cast(kept, 'float32'), 1 / (1 - rate));
}

/** transformers' drop path schedule: 0 at the first block to `rate` at the last, by stage and block. */
export function dropPathRates(rate: number, depths: readonly number[]): number[][] {
  const count = depths.reduce((sum, depth) => sum + depth, 0);
  let block = 0;
  return depths.map((depth) =>
    Array.from({ length: depth }, () => (count === 1 ? 0 : (rate * block++) / (count - 1))),
  );
}

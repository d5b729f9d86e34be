/** How tensors start: the distributions of transformers' models, by the names that the literature has for them. */
import type { Initializer } from '../types.js';

export const ZEROS: Initializer = { kind: 'zeros' };
export const ONES: Initializer = { kind: 'ones' };

export function constant(value: number): Initializer {
  return { kind: 'constant', value };
}

export function values(numbers: ArrayLike<number>): Initializer {
  return { kind: 'values', values: numbers };
}

/** Mean 0. */
export function normal(std: number): Initializer {
  return { kind: 'normal', std };
}

/** Mean 0, within [-2, 2] as torch's `trunc_normal_`. */
export function truncatedNormal(std: number): Initializer {
  return { kind: 'truncatedNormal', std };
}

/** Glorot & Bengio 2010. */
export function xavierUniform(fanIn: number, fanOut: number): Initializer {
  return { kind: 'uniform', bound: Math.sqrt(6 / (fanIn + fanOut)) };
}

/** Normal of variance 1 / fanIn, truncated at two standard deviations (LeCun et al. 1998, as in JAX). */
export function lecunNormal(fanIn: number): Initializer {
  const std = Math.sqrt(1 / fanIn) / 0.87962566103423978;
  return { kind: 'truncatedNormal', std, limit: 2 * std };
}

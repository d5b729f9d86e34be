/**
 * Local response normalisation over channels (Krizhevsky et al. 2012): y = x / n^β, n = bias + α · Σ x² over the
 * 2r+1 nearest channels. The window sum is a product with a banded matrix [C, C], which is its own transpose.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { reshape } from '../graph/layout.js';
import { add, binary, div, mul, sub } from '../graph/ops.js';
import { matMul } from '../graph/products.js';
import { sizeOf } from '../graph/shape.js';
import { materialised, scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

function windowSum(x: Value, radius: number): Value {
  const channels = x.shape.at(-1)!;
  const band = new Float32Array(channels * channels);
  for (let i = 0; i < channels; i++)
    for (let j = 0; j < channels; j++) if (Math.abs(i - j) <= radius) band[i * channels + j] = 1;
  const rows = reshape(x, [sizeOf(x.shape) / channels, channels]);
  return reshape(matMul(rows, materialised('float32', [channels, channels], band)), x.shape);
}

const norm = (x: Value, { depthRadius, bias, alpha }: tf.LRNAttrs): Value =>
  add(mul(windowSum(mul(x, x), depthRadius), alpha), bias);

const power = (x: Value, exponent: number): Value => binary('Pow', x, scalar(exponent));

export const lrnKernels: KernelDefinition[] = [
  define<'x', tf.LRNAttrs>('LRN', ({ x }, attrs) => div(x, power(norm(x, attrs), attrs.beta))),
  /** dx = dy·n^−β − 2αβ·x·Σ dy·y/n */
  define<'x' | 'y' | 'dy', tf.LRNGradAttrs>('LRNGrad', ({ x, y, dy }, attrs) => {
    const n = norm(x, attrs);
    const shared = windowSum(div(mul(dy, y), n), attrs.depthRadius);
    return sub(mul(dy, power(n, -attrs.beta)), mul(mul(x, shared), 2 * attrs.alpha * attrs.beta));
  }),
];

/**
 * FusedGelu: x·Φ(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415), exact or with the tanh approximation, and its
 * gradient.
 */
import * as tf from '@tensorflow/tfjs-core';
import { overRows } from '../graph/chunked.js';
import { add, exp, mul, reshape, sub, unary } from '../graph/ops.js';
import { sizeOf } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';

type GeluAttrs = { approximate: 'none' | 'tanh' };

const gelu = (x: Value, approximate: GeluAttrs['approximate']): Value =>
  unary('Gelu', x, x.type, { approximate });

/** Φ(x) + x·φ(x) with the normal distribution Φ and its density φ. */
function exactSlope(x: Value): Value {
  const distribution = add(mul(unary('Erf', mul(x, Math.SQRT1_2)), 0.5), 0.5);
  const density = mul(exp(mul(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(distribution, mul(x, density));
}

/** Derivative of 0.5·x·(1 + t), t = tanh(k·(x + c·x³)). */
function tanhSlope(x: Value): Value {
  const k = Math.sqrt(2 / Math.PI);
  const c = 0.044715;
  const square = mul(x, x);
  const t = unary('Tanh', mul(x, add(mul(square, k * c), k)));
  const inner = add(mul(square, 3 * k * c), k);
  const bend = mul(mul(x, sub(scalar(1), mul(t, t))), inner);
  return mul(add(add(t, 1), bend), 0.5);
}

export const geluKernels: KernelDefinition[] = [
  define<'x', GeluAttrs>('FusedGelu', ({ x }, { approximate }) => gelu(x, approximate)),
  define<'dy' | 'x', GeluAttrs>('FusedGeluGrad', ({ dy, x }, { approximate }) => {
    const slope = approximate === 'tanh' ? tanhSlope : exactSlope;
    const flat = (v: Value): Value => reshape(v, [sizeOf(v.shape) / v.shape.at(-1)!, v.shape.at(-1)!]);
    const { rows } = overRows([flat(dy), flat(x)], [], ([d, v]) => ({ rows: [mul(d!, slope(v!))] }));
    return reshape(rows[0]!, x.shape);
  }),
];

export const geluGradientConfig: tf.GradConfig = {
  kernelName: 'FusedGelu',
  inputsToSave: ['x'],
  gradFunc: (dy, [x], attrs) => ({
    x: () => tf.engine().runKernel<tf.Tensor>('FusedGeluGrad', { dy: dy as tf.Tensor, x: x! }, attrs),
  }),
};

/**
 * FusedGelu: x·Φ(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415), exact or with the tanh approximation, and its
 * gradient.
 */
import * as tf from '@tensorflow/tfjs-core';
import { overRows } from '../graph/chunked.js';
import { reshape } from '../graph/layout.js';
import { add, exp, mul, sub, unary } from '../graph/ops.js';
import { sizeOf } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';
import { nativeBiasGelu, nativeBiasGeluGradient } from './native.js';

type GeluAttrs = { approximate: 'none' | 'tanh' };

const gelu = (x: Value, approximate: GeluAttrs['approximate']): Value =>
  unary('Gelu', x, x.type, { approximate });

/**
 * Twice the derivative Φ(x) + x·φ(x) of the exact form: with u = x/√2 it is 1 + erf(u) + 2u·exp(−u²)/√π. The factor
 * 2/√π is moved into the exponent, which saves an op.
 */
function twiceExactDerivative(x: Value): Value {
  const u = mul(x, Math.SQRT1_2);
  const gaussian = exp(sub(scalar(Math.log(2 / Math.sqrt(Math.PI))), mul(u, u)));
  return add(add(unary('Erf', u), mul(u, gaussian)), 1);
}

/** Twice the derivative of 0.5·x·(1 + t), t = tanh(k·(x + c·x³)). */
function twiceTanhDerivative(x: Value): Value {
  const k = Math.sqrt(2 / Math.PI);
  const c = 0.044715;
  const square = mul(x, x);
  const t = unary('Tanh', mul(x, add(mul(square, k * c), k)));
  const inner = add(mul(square, 3 * k * c), k);
  const innerDerivative = mul(mul(x, sub(scalar(1), mul(t, t))), inner);
  return add(add(t, 1), innerDerivative);
}

export const geluKernels: KernelDefinition[] = [
  define<'x', GeluAttrs>('FusedGelu', ({ x }, { approximate }, { recordsNative }) => {
    const fused = recordsNative && approximate === 'none' ? nativeBiasGelu(x) : undefined;
    return fused ?? gelu(x, approximate);
  }),
  define<'dy' | 'x', GeluAttrs>(
    'FusedGeluGrad',
    ({ dy, x }, { approximate }, { recordsNative, recordsLoops }) => {
      const fused = recordsNative && approximate === 'none' ? nativeBiasGeluGradient(dy, x) : undefined;
      if (fused) return fused;
      const twiceDerivative = approximate === 'tanh' ? twiceTanhDerivative : twiceExactDerivative;
      const flat = (v: Value): Value => reshape(v, [sizeOf(v.shape) / v.shape.at(-1)!, v.shape.at(-1)!]);
      // The factor ½ is applied to dy, where it usually fuses with the product that computed dy.
      const derivative = ([d, v]: readonly Value[]) => ({ rows: [mul(d!, twiceDerivative(v!))] });
      const { rows } = overRows([flat(mul(dy, 0.5)), flat(x)], [], derivative, recordsLoops);
      return reshape(rows[0]!, x.shape);
    },
  ),
];

export const geluGradientConfig: tf.GradConfig = {
  kernelName: 'FusedGelu',
  inputsToSave: ['x'],
  gradFunc: (dy, [x], attrs) => ({
    x: () => tf.engine().runKernel<tf.Tensor>('FusedGeluGrad', { dy: dy as tf.Tensor, x: x! }, attrs),
  }),
};

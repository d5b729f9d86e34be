/**
 * FusedGelu: x·Φ(x) (Hendrycks & Gimpel 2016, arXiv:1606.08415), exact, with the tanh approximation, or as
 * x·σ(1.702 x), which the same paper names and OpenAI's CLIP uses; and its gradient.
 */
import * as tf from '@tensorflow/tfjs-core';
import { overRows } from '../graph/chunked.js';
import { reshape } from '../graph/layout.js';
import { add, exp, mul, sub, unary } from '../graph/ops.js';
import { sizeOf } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';
import { nativeBiasGelu, nativeBiasGeluGradient } from './native.js';

type GeluAttrs = { approximate: 'none' | 'tanh' | 'sigmoid' };

const QUICK = 1.702;

const gelu = (x: Value, approximate: GeluAttrs['approximate']): Value =>
  approximate === 'sigmoid'
    ? mul(x, unary('Sigmoid', mul(x, QUICK)))
    : unary('Gelu', x, x.type, { approximate });

/** The addon's op for sums with a bias. */
const NATIVE = { none: 'BiasGelu', tanh: undefined, sigmoid: 'BiasQuickGelu' } as const;

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

/** Twice the derivative s + 1.702·x·s·(1 − s), s = σ(1.702 x). */
function twiceSigmoidDerivative(x: Value): Value {
  const scaled = mul(x, QUICK);
  const s = unary('Sigmoid', scaled);
  return mul(mul(s, add(mul(scaled, sub(scalar(1), s)), 1)), 2);
}

const TWICE_DERIVATIVE = {
  none: twiceExactDerivative,
  tanh: twiceTanhDerivative,
  sigmoid: twiceSigmoidDerivative,
};

export const geluKernels: KernelDefinition[] = [
  define<'x', GeluAttrs>('FusedGelu', ({ x }, { approximate }, { recordsNative }) => {
    const native = recordsNative ? NATIVE[approximate] : undefined;
    const fused = native ? nativeBiasGelu(x, native) : undefined;
    return fused ?? gelu(x, approximate);
  }),
  define<'dy' | 'x', GeluAttrs>(
    'FusedGeluGrad',
    ({ dy, x }, { approximate }, { recordsNative, recordsLoops }) => {
      const native = recordsNative ? NATIVE[approximate] : undefined;
      const fused = native ? nativeBiasGeluGradient(dy, x, native) : undefined;
      if (fused) return fused;
      const twiceDerivative = TWICE_DERIVATIVE[approximate];
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

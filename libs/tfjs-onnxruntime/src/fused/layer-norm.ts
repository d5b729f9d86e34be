/**
 * FusedLayerNorm: layer normalisation over the last axis D (Ba et al. 2016, arXiv:1607.06450) with its gradient
 * written out. ONNX's LayerNormalization also returns mean and 1/σ of each row; the gradient reuses them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { overRows } from '../graph/chunked.js';
import { reshape } from '../graph/layout.js';
import { add, mul, neg, sub } from '../graph/ops.js';
import { matMul } from '../graph/products.js';
import { columnSum } from '../graph/reductions.js';
import { sizeOf } from '../graph/shape.js';
import { node, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';
import { nativeAddLayerNorm, nativeLayerNormGradient } from './native.js';

interface LayerNormAttrs {
  epsilon: number;
}

function layerNorm(x: Value, gamma: Value, beta: Value, epsilon: number): Value {
  const axis = x.shape.length - 1;
  const rows = { type: 'float32' as const, shape: [...x.shape.slice(0, -1), 1] };
  const attributes = { axis, epsilon: { float: epsilon } };
  const outputs = [{ type: 'float32' as const, shape: x.shape }, rows, rows];
  const [y, mean, inverse] = node('LayerNormalization', [x, gamma, beta], attributes, outputs);
  y!.companions = { mean: mean!, inverse: inverse! };
  return y!;
}

/**
 * With x̂ = (x − μ)/σ: dx = (dy∘γ − mean(dy∘γ) − x̂·mean(dy∘γ∘x̂))/σ, dγ = Σ dy∘x̂, dβ = Σ dy (sums over rows).
 *
 * x̂ is never formed: with p = mean(dy∘γ), q = mean(dy∘γ∘x) and b = (μp − q)/σ³, all of them one number per row, dx =
 * dy∘γ/σ + b·x − (bμ + p/σ). PyTorch computes it in this form too. Means over a row are products with the vector γ/D,
 * which is faster than γ with a separate factor 1/D.
 */
function layerNormGradient(
  dy: Value,
  x: Value,
  gamma: Value,
  y: Value,
  loops: boolean,
): [dx: Value, dGamma: Value, dBeta: Value] {
  const D = x.shape.at(-1)!;
  const N = sizeOf(x.shape) / D;
  const { mean, inverse } = y.companions!;
  const flat = [dy, x].map((v) => reshape(v, [N, D]));
  const perRow = [mean!, inverse!].map((v) => reshape(v, [N, 1]));
  const gradient = (blocks: readonly Value[], shared: readonly Value[]) => {
    const [dyRows, xRows, mu, inv] = blocks as [Value, Value, Value, Value];
    const [g, share] = shared as [Value, Value];
    const column = reshape(share, [D, 1]);
    const product = mul(dyRows, xRows);
    const p = matMul(dyRows, column);
    const q = matMul(product, column);
    const b = mul(mul(sub(mul(mu, p), q), inv), mul(inv, inv));
    const level = add(mul(b, mu), mul(p, inv));
    const dx = sub(add(mul(mul(dyRows, g), inv), mul(xRows, b)), level);
    // Σ dy∘x̂ = Σ (dy∘x)/σ − Σ dy·μ/σ
    const row = (v: Value): Value => reshape(v, [1, v.shape[0]!]);
    const dGamma = add(matMul(row(inv), product), matMul(row(neg(mul(mu, inv))), dyRows));
    return { rows: [dx], sums: [reshape(dGamma, [D]), columnSum(dyRows)] };
  };
  const shared = [gamma, mul(gamma, 1 / D)];
  const { rows, sums } = overRows([...flat, ...perRow], shared, gradient, loops);
  return [reshape(rows[0]!, x.shape), sums[0]!, sums[1]!];
}

export const layerNormKernels: KernelDefinition[] = [
  define<'x' | 'gamma' | 'beta', LayerNormAttrs>(
    'FusedLayerNorm',
    ({ x, gamma, beta }, { epsilon }, { recordsNative }) => {
      const fused = recordsNative ? nativeAddLayerNorm(x, gamma, beta, epsilon) : undefined;
      return fused ?? layerNorm(x, gamma, beta, epsilon);
    },
  ),
  define<'dy' | 'x' | 'gamma' | 'y'>(
    'FusedLayerNormGrad',
    ({ dy, x, gamma, y }, _, { recordsNative, recordsLoops }) =>
      recordsNative
        ? nativeLayerNormGradient(dy, x, gamma, y.companions!)
        : layerNormGradient(dy, x, gamma, y, recordsLoops),
  ),
];

export const layerNormGradientConfig: tf.GradConfig = {
  kernelName: 'FusedLayerNorm',
  inputsToSave: ['x', 'gamma'],
  outputsToSave: [true],
  gradFunc: (dy, [x, gamma, y]) => {
    const inputs = { dy: dy as tf.Tensor, x: x!, gamma: gamma!, y: y! };
    const [dx, dGamma, dBeta] = tf.engine().runKernel<tf.Tensor[]>('FusedLayerNormGrad', inputs);
    return { x: () => dx!, gamma: () => dGamma!, beta: () => dBeta! };
  },
};

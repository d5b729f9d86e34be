/**
 * FusedLayerNorm: layer normalisation over the last axis D (Ba et al. 2016, arXiv:1607.06450) with its gradient
 * written out. ONNX's LayerNormalization also returns mean and 1/σ of each row; the gradient reuses them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { filled, matMul, mul, reduce, reshape, sub } from '../graph/ops.js';
import { sizeOf } from '../graph/shape.js';
import { node, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';

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
 * With x̂ = (x − μ)/σ and g = dy·γ: dx = (g − mean(g) − x̂·mean(g·x̂))/σ, dγ = Σ dy·x̂, dβ = Σ dy (sums over rows).
 */
function layerNormGradient(
  dy: Value,
  x: Value,
  gamma: Value,
  y: Value,
): [dx: Value, dGamma: Value, dBeta: Value] {
  const { mean, inverse } = y.companions!;
  const D = x.shape.at(-1)!;
  const N = sizeOf(x.shape) / D;
  const normalised = mul(sub(x, mean!), inverse!);
  const g = mul(dy, gamma);
  const projection = reduce('ReduceMean', mul(g, normalised), -1, true);
  const centred = sub(sub(g, reduce('ReduceMean', g, -1, true)), mul(normalised, projection));
  const ones = filled(1, 'float32', [1, N]);
  const columnSum = (v: Value): Value => reshape(matMul(ones, reshape(v, [N, D])), [D]);
  return [mul(centred, inverse!), columnSum(mul(dy, normalised)), columnSum(dy)];
}

export const layerNormKernels: KernelDefinition[] = [
  define<'x' | 'gamma' | 'beta', LayerNormAttrs>('FusedLayerNorm', ({ x, gamma, beta }, { epsilon }) =>
    layerNorm(x, gamma, beta, epsilon),
  ),
  define<'dy' | 'x' | 'gamma' | 'y'>('FusedLayerNormGrad', ({ dy, x, gamma, y }) =>
    layerNormGradient(dy, x, gamma, y),
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

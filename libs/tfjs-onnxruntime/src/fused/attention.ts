/**
 * FusedAttention: softmax(q·kᵀ·scale + mask)·v for each head (Vaswani et al. 2017, arXiv:1706.03762), and its
 * gradient from the kept attention weights.
 * Letters: B batch, T queries, S keys, D width, H heads, K = D/H head size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { reshape, transpose } from '../graph/layout.js';
import { add, binary, mul, op, sub } from '../graph/ops.js';
import { matMul } from '../graph/products.js';
import { reduce, softmax, sumTo } from '../graph/reductions.js';
import type { Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';
import { nativeSoftmaxGradient } from './native.js';

interface AttentionAttrs {
  numHeads: number;
  scale: number;
}

/** [B,T,D] → [B,H,T,K] */
function splitHeads(x: Value, H: number): Value {
  const [B, T, D] = x.shape as [number, number, number];
  return transpose(reshape(x, [B, T, H, D / H]), [0, 2, 1, 3]);
}

/** [B,H,T,K] → [B,T,D] */
function joinHeads(x: Value): Value {
  const [B, H, T, K] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [B, T, H * K]);
}

/**
 * Zeroes weights below 1e-30. A masked position gets a denormal number from the softmax (ONNX Runtime clamps its
 * exponent at −88; a mask of −100 is as bad), and arithmetic on denormals is many times slower.
 */
const withoutDenormals = (weights: Value): Value =>
  op('ThresholdedRelu', [weights], weights.shape, weights.type, { alpha: { float: 1e-30 } });

function attention(
  q: Value,
  k: Value,
  v: Value,
  mask: Value | undefined,
  { numHeads: H, scale }: AttentionAttrs,
): Value {
  const scores = matMul(splitHeads(q, H), splitHeads(k, H), { transposeB: true, alpha: scale }); // [B,H,T,S]
  const weights = mask ? withoutDenormals(softmax(add(scores, mask))) : softmax(scores);
  const y = joinHeads(matMul(weights, splitHeads(v, H)));
  y.companions = mask ? { weights, mask } : { weights };
  return y;
}

/** [B,H,T,1]: Σ over S of P∘dP, by way of the head's output o, which is smaller: Σ over K of do∘o. */
function weightedSums(dy: Value, y: Value, H: number): Value {
  const [B, T, D] = y.shape as [number, number, number];
  const perHead = reduce('ReduceSum', reshape(binary('Mul', dy, y), [B, T, H, D / H]), -1, true);
  return transpose(perHead, [0, 2, 1, 3]);
}

/**
 * With P the weights and dP = do·vᵀ: dS = P∘(dP − rowsum(P∘dP)), dv = Pᵀ·do, dq = scale·dS·k, dk = scale·dSᵀ·q, dmask = dS.
 * @param native whether one node of the native addon computes dS
 */
function attentionGradient(
  dy: Value,
  q: Value,
  k: Value,
  v: Value,
  y: Value,
  { numHeads: H, scale }: AttentionAttrs,
  native: boolean,
): Value[] {
  const { weights: P, mask } = y.companions as { weights: Value; mask?: Value };
  const dO = splitHeads(dy, H);
  const dP = matMul(dO, splitHeads(v, H), { transposeB: true });
  const dS = native ? nativeSoftmaxGradient(P, dP) : mul(P, sub(dP, weightedSums(dy, y, H)));
  const dq = joinHeads(matMul(dS, splitHeads(k, H), { alpha: scale }));
  const dk = joinHeads(matMul(dS, splitHeads(q, H), { transposeA: true, alpha: scale }));
  const dv = joinHeads(matMul(P, dO, { transposeA: true }));
  return [dq, dk, dv, ...(mask ? [sumTo(dS, mask.shape)] : [])];
}

export const attentionKernels: KernelDefinition[] = [
  define<'query' | 'key' | 'value' | 'mask', AttentionAttrs>(
    'FusedAttention',
    ({ query, key, value, mask }, attrs) => attention(query, key, value, mask, attrs),
  ),
  define<'dy' | 'query' | 'key' | 'value' | 'y', AttentionAttrs>(
    'FusedAttentionGrad',
    ({ dy, query, key, value, y }, attrs, { recordsNative }) =>
      attentionGradient(dy, query, key, value, y, attrs, recordsNative),
  ),
];

export const attentionGradientConfig: tf.GradConfig = {
  kernelName: 'FusedAttention',
  inputsToSave: ['query', 'key', 'value'],
  outputsToSave: [true],
  gradFunc: (dy, [query, key, value, y], attrs) => {
    const inputs = { dy: dy as tf.Tensor, query: query!, key: key!, value: value!, y: y! };
    const grads = tf.engine().runKernel<tf.Tensor[]>('FusedAttentionGrad', inputs, attrs);
    return { query: () => grads[0]!, key: () => grads[1]!, value: () => grads[2]!, mask: () => grads[3]! };
  },
};

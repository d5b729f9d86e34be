import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { valueAndGradients } from '../../train/gradients.js';
import { createContext } from '../context.js';
import {
  activation,
  attention,
  causalMask,
  embedding,
  inversePermutation,
  layerNorm,
  linear,
  paddingMask,
  permuteTokens,
  repeatBatch,
  tokenAt,
} from './index.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const rounded = (tensor: tf.Tensor) => [...tensor.dataSync()].map((value) => Math.round(value * 1e5) / 1e5);
const gradientOf = (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor) =>
  valueAndGradients(({ x: input }) => tf.sum(f(input!)), { x }, ['x']).gradients.x!;

describe('ops', () => {
  it('linear multiplies by the transposed weight over any leading axes', () => {
    const weight = tf.tensor2d([[1, 2], [3, 4], [5, 6]]); // prettier-ignore
    const y = linear(tf.tensor([1, 1, 2, 0], [1, 2, 2]), weight, tf.tensor1d([0, 0, 1]));
    expect(y.shape).toEqual([1, 2, 3]);
    expect(rounded(y)).toEqual([3, 7, 12, 2, 6, 11]);
  });

  it('layer norm uses the biased variance', () => {
    expect(rounded(layerNorm(tf.tensor2d([[1, 3]]), tf.tensor1d([2, 2]), tf.tensor1d([0, 1]), 0))).toEqual([
      -2, 3,
    ]);
  });

  it('rectifiers have the gradients of PyTorch, 0 where they clip and at the corners', () => {
    const at = (name: string) => rounded(gradientOf(activation(name), tf.tensor1d([-1, 0, 0.5, 6, 7])));
    expect(at('relu')).toEqual([0, 0, 1, 1, 1]);
    expect(at('relu2')).toEqual([0, 0, 1, 12, 14]);
    expect(at('relu6')).toEqual([0, 0, 1, 0, 0]);
  });

  it('activations have the values that transformers gives them', () => {
    const at = (name: string) => rounded(activation(name)(tf.tensor1d([-1, 0.5])));
    expect(at('gelu')).toEqual([-0.15866, 0.34573]);
    expect(at('gelu_pytorch_tanh')).toEqual([-0.15881, 0.34571]);
    expect(at('quick_gelu')).toEqual([-0.15420, 0.35039]); // prettier-ignore
    expect(at('silu')).toEqual([-0.26894, 0.31123]);
    expect(at('relu6')).toEqual([0, 0.5]);
    expect(() => activation('prelu')).toThrow(/"prelu"/);
    expect(() => activation('toString')).toThrow(/MODEL_UNSUPPORTED|not implemented/);
  });

  it('attention looks at unmasked tokens only', () => {
    const value = tf.tensor3d([[[1, 2], [3, 4]]]); // prettier-ignore
    const zeros = tf.zeros([1, 2, 2]);
    const run = (mask: tf.Tensor) =>
      rounded(attention(zeros, zeros, value, { numHeads: 2, mask }, createContext()));
    expect(run(paddingMask(tf.tensor2d([[1, 0]], [1, 2], 'int32')))).toEqual([1, 2, 1, 2]);
    expect(run(causalMask(2, 5))).toEqual([1, 2, 2, 3]);
    expect(run(tf.zeros([1, 1, 2, 2]))).toEqual([2, 3, 2, 3]);
  });

  it('the padding row of an embedding gets no gradient', () => {
    const ids = tf.tensor2d([[1, 0, 1]], [1, 3], 'int32');
    const table = tf.ones([2, 2]);
    expect(rounded(gradientOf((x) => embedding(x, ids, 0), table))).toEqual([0, 0, 2, 2]);
    expect(rounded(gradientOf((x) => embedding(x, ids), table))).toEqual([1, 1, 2, 2]);
  });

  it('permuting tokens and back is nothing, and gradients follow', () => {
    const order = Int32Array.of(2, 0, 1);
    const x = tf.tensor3d([1, 2, 3], [1, 3, 1]);
    expect(rounded(permuteTokens(x, order))).toEqual([3, 1, 2]);
    expect(rounded(permuteTokens(permuteTokens(x, order), inversePermutation(order)))).toEqual([1, 2, 3]);
    const weights = tf.tensor3d([10, 20, 30], [1, 3, 1]);
    expect(rounded(gradientOf((y) => tf.mul(permuteTokens(y, order), weights), x))).toEqual([20, 30, 10]);
  });

  it('a repeated tensor sums its gradients', () => {
    const x = tf.tensor3d([1, 2], [1, 1, 2]);
    expect(rounded(repeatBatch(x, 2))).toEqual([1, 2, 1, 2]);
    const weights = tf.tensor3d([1, 2, 3, 4], [2, 1, 2]);
    expect(rounded(gradientOf((y) => tf.mul(repeatBatch(y, 2), weights), x))).toEqual([4, 6]);
  });

  it('picks the token at a place', () => {
    const x = tf.tensor3d([1, 2, 3, 4], [2, 2, 1]);
    expect(rounded(tokenAt(x, tf.tensor1d([1, 0], 'int32'), 9))).toEqual([2, 3]);
  });
});

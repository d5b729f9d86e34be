/**
 * Small helpers over named weights: look-up by name, and the layers that every tower is made of.
 * A layer called `name` owns `name.weight` and `name.bias`.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import { layerNorm, linear } from '../ops/index.js';
import type { Initializer, TensorSpec, Weights } from '../types.js';

/** @throws ClipError WEIGHTS_MISMATCH when there is no such tensor. */
export function param(weights: Weights, name: string): tf.Tensor {
  const tensor = weights[name];
  if (tensor === undefined) {
    throw new ClipError('WEIGHTS_MISMATCH', 'A forward pass needs a tensor that it was not given', {
      expected: name,
      found: `${Object.keys(weights).length} other tensors`,
    });
  }
  return tensor;
}

/** The weights under a prefix, by the rest of their names. */
export function scoped(weights: Weights, prefix: string): Weights {
  if (prefix === '') return weights;
  const inner: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of Object.entries(weights)) {
    if (name.startsWith(prefix)) inner[name.slice(prefix.length)] = tensor;
  }
  return inner;
}

/** x [..., I] → [..., O]; the bias is used where the weights have one. */
export function linearLayer(weights: Weights, name: string, x: tf.Tensor): tf.Tensor {
  return linear(x, param(weights, `${name}.weight`), weights[`${name}.bias`]);
}

/** Over the last axis. */
export function layerNormLayer(weights: Weights, name: string, x: tf.Tensor, epsilon: number): tf.Tensor {
  return layerNorm(x, param(weights, `${name}.weight`), param(weights, `${name}.bias`), epsilon);
}

/** One trainable parameter. */
export function paramSpec(name: string, shape: readonly number[], init: Initializer): TensorSpec {
  return { name, shape, init, trainable: true };
}

/** `name.weight` [O, I] and, unless `bias` is false, `name.bias` [O] at zero. */
export function linearSpecs(
  name: string,
  outputs: number,
  inputs: number,
  init: Initializer,
  bias = true,
): TensorSpec[] {
  const weight = paramSpec(`${name}.weight`, [outputs, inputs], init);
  return bias ? [weight, paramSpec(`${name}.bias`, [outputs], { kind: 'zeros' })] : [weight];
}

/** `name.weight` [D] at one and `name.bias` [D] at zero. */
export function layerNormSpecs(name: string, size: number): TensorSpec[] {
  return [
    paramSpec(`${name}.weight`, [size], { kind: 'ones' }),
    paramSpec(`${name}.bias`, [size], { kind: 'zeros' }),
  ];
}

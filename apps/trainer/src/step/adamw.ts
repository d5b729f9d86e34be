/**
 * AdamW (Loshchilov & Hutter 2019, decoupled weight decay) as PyTorch computes it, on one tensor; and the global norm of
 * gradients. One fused kernel where the backend has it, else TensorFlow.js ops.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
}

/** Scalars of a step, the same for every tensor. */
export interface AdamWScalars {
  learningRate: tf.Tensor;
  /** Factor on every gradient. */
  clip: tf.Tensor;
  /** 1 / (1 − β₁ᵗ) and 1 / (1 − β₂ᵗ), t counted from 1. */
  correction1: tf.Tensor;
  correction2: tf.Tensor;
}

interface Moments {
  param: tf.Tensor;
  m: tf.Tensor;
  v: tf.Tensor;
}

const FUSED = 'FusedAdamW';

export function adamw(
  { param, m, v }: Moments,
  gradient: tf.Tensor,
  scalars: AdamWScalars,
  options: AdamWOptions & { weightDecay: number },
): Moments {
  const { learningRate, clip, correction1, correction2 } = scalars;
  const { beta1, beta2, epsilon, weightDecay } = options;
  if (tf.getKernel(FUSED, tf.getBackend()) !== undefined) {
    const inputs = { param, m, v, grad: gradient, lr: learningRate, clip, correction1, correction2 };
    const attributes = { beta1, beta2, epsilon, weightDecay };
    const [newParam, newM, newV] = tf.engine().runKernel(FUSED, inputs, attributes) as unknown as tf.Tensor[];
    return { param: newParam!, m: newM!, v: newV! };
  }
  const g = tf.mul(gradient, clip);
  const newM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
  const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
  const step = tf.div(tf.mul(newM, correction1), tf.add(tf.sqrt(tf.mul(newV, correction2)), epsilon));
  const decayed = weightDecay === 0 ? param : tf.mul(param, tf.sub(1, tf.mul(learningRate, weightDecay)));
  return { param: tf.sub(decayed, tf.mul(step, learningRate)), m: newM, v: newV };
}

/** √ of the sum of squares over all tensors, a scalar. */
export const globalNorm = (gradients: readonly tf.Tensor[]): tf.Scalar =>
  tf.sqrt<tf.Scalar>(tf.addN(gradients.map((gradient) => tf.sum<tf.Scalar>(tf.square(gradient)))));

/** Factor that brings a norm down to `maximum`, as PyTorch's clip_grad_norm_: min(1, maximum / (norm + 1e-6)). */
export const clipFactor = (norm: tf.Scalar, maximum: number): tf.Scalar =>
  tf.minimum<tf.Scalar>(tf.div(maximum, tf.add(norm, 1e-6)), 1);

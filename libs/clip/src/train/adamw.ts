/**
 * AdamW (Loshchilov & Hutter 2019, decoupled weight decay) as PyTorch computes it, on one tensor; and the global norm of
 * gradients. One fused kernel where the backend has it, else TensorFlow.js ops.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../model/index.js';
import { scalar } from './host-tensor.js';
import type { LossScaleInput } from './loss-scale.js';

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/**
 * Scalars that change from step to step: the learning rate, 1 / (1 − β₁ᵗ) and 1 / (1 − β₂ᵗ), t counted from 1, and the factor
 * that gradients carry until they are used (loss-scale.ts).
 */
export type UpdateInput = 'lr' | 'correction1' | 'correction2' | LossScaleInput;

/** The scalars of an update. @param step updates made before this one */
export const updateInputs = (
  learningRate: number,
  step: number,
  { beta1, beta2 }: Pick<AdamWOptions, 'beta1' | 'beta2'>,
  lossScale = 1,
): Record<UpdateInput, HostTensor> => ({
  loss_scale: scalar(lossScale),
  lr: scalar(learningRate),
  correction1: scalar(1 / (1 - beta1 ** (step + 1))),
  correction2: scalar(1 / (1 - beta2 ** (step + 1))),
});

/** A parameter with AdamW's first and second moment. */
interface Moments {
  param: tf.Tensor;
  m: tf.Tensor;
  v: tf.Tensor;
}

const FUSED = 'FusedAdamW';
const FUSED_SUM = 'FusedSumOfSquares';

/**
 * New parameter and moments.
 * @param scalars with `clip`, a factor on every gradient
 */
export function adamw(
  { param, m, v }: Moments,
  gradient: tf.Tensor,
  {
    lr,
    clip,
    correction1,
    correction2,
  }: Readonly<Record<Exclude<UpdateInput, LossScaleInput> | 'clip', tf.Tensor>>,
  { beta1, beta2, epsilon, weightDecay }: AdamWOptions,
): Moments {
  if (tf.getKernel(FUSED, tf.getBackend()) !== undefined) {
    const inputs = { param, m, v, grad: gradient, lr, clip, correction1, correction2 };
    const attributes = { beta1, beta2, epsilon, weightDecay };
    const [newParam, newM, newV] = tf.engine().runKernel(FUSED, inputs, attributes) as unknown as tf.Tensor[];
    return { param: newParam!, m: newM!, v: newV! };
  }
  const g = tf.mul(gradient, clip);
  const newM = tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1));
  const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2));
  const step = tf.div(tf.mul(newM, correction1), tf.add(tf.sqrt(tf.mul(newV, correction2)), epsilon));
  const decayed = weightDecay === 0 ? param : tf.mul(param, tf.sub(1, tf.mul(lr, weightDecay)));
  return { param: tf.sub(decayed, tf.mul(step, lr)), m: newM, v: newV };
}

/** √ of the sum of squares over all tensors, a scalar. */
export const globalNorm = (gradients: readonly tf.Tensor[]): tf.Scalar => tf.sqrt(sumOfSquares(gradients));

function sumOfSquares(tensors: readonly tf.Tensor[]): tf.Scalar {
  if (tf.getKernel(FUSED_SUM, tf.getBackend()) === undefined)
    return tf.addN(tensors.map((tensor) => tf.sum<tf.Scalar>(tf.square(tensor))));
  const inputs = Object.fromEntries(tensors.map((tensor, i) => [i, tensor]));
  return tf.engine().runKernel<tf.Scalar>(FUSED_SUM, inputs);
}

/** Factor that brings a norm down to `maximum`, as PyTorch's clip_grad_norm_: min(1, maximum / (norm + 1e-6)). */
export const clipFactor = (norm: tf.Scalar, maximum: number): tf.Scalar =>
  tf.minimum<tf.Scalar>(tf.div(maximum, tf.add(norm, 1e-6)), 1);

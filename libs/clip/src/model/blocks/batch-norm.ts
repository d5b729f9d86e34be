/**
 * Batch normalisation over all axes but the last (Ioffe & Szegedy 2015), with torch's conventions.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import type { ForwardContext, HostTensor, TensorSpec, Weights } from '../types.js';
import { param, paramSpec } from '../weights/params.js';

export interface BatchNormOptions {
  readonly epsilon: number;
  /** Share of the batch's statistics in the new running ones: new = (1 - momentum) old + momentum batch. */
  readonly momentum: number;
}

/** `name.weight`, `name.bias`, the running statistics, and torch's count of batches. */
export function batchNormSpecs(name: string, channels: number): TensorSpec[] {
  const buffer = { shape: [channels], trainable: false } as const;
  return [
    paramSpec(`${name}.weight`, [channels], { kind: 'ones' }),
    paramSpec(`${name}.bias`, [channels], { kind: 'zeros' }),
    { ...buffer, name: `${name}.running_mean`, init: { kind: 'zeros' } },
    { ...buffer, name: `${name}.running_var`, init: { kind: 'ones' } },
    {
      name: `${name}.num_batches_tracked`,
      shape: [],
      init: { kind: 'zeros' },
      trainable: false,
      dtype: 'int64',
    },
  ];
}

/**
 * Normalises x [..., C] by the running statistics or, when the context asks for it, by the batch's; then the
 * new running statistics go into `ctx.statistics`.
 */
export function batchNorm(
  weights: Weights,
  name: string,
  x: tf.Tensor,
  { epsilon, momentum }: BatchNormOptions,
  ctx: ForwardContext,
): tf.Tensor {
  const gamma = param(weights, `${name}.weight`);
  const beta = param(weights, `${name}.bias`);
  const runningMean = param(weights, `${name}.running_mean`);
  const runningVar = param(weights, `${name}.running_var`);
  if (ctx.batchNorm === 'evaluation') {
    const scale = tf.mul(gamma, tf.rsqrt(tf.add(runningVar, epsilon)));
    return tf.add(tf.mul(x, scale), tf.sub(beta, tf.mul(runningMean, scale)));
  }
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const count = x.size / x.shape[x.rank - 1]!;
  const mean = tf.mean(x, axes);
  const centred = tf.sub(x, mean);
  const variance = tf.mean(tf.square(centred), axes);
  const share = ctx.batchNormMomentum ?? momentum;
  const unbiased = tf.mul(variance, count / Math.max(count - 1, 1));
  ctx.statistics[`${name}.running_mean`] = mix(runningMean, mean, share);
  ctx.statistics[`${name}.running_var`] = mix(runningVar, unbiased, share);
  return tf.add(tf.mul(centred, tf.mul(gamma, tf.rsqrt(tf.add(variance, epsilon)))), beta);
}

function mix(old: tf.Tensor, current: tf.Tensor, share: number): tf.Tensor {
  return tf.add(tf.mul(old, 1 - share), tf.mul(current, share));
}

/** torch's counts of training batches after `batches` more, by name: the buffers that a forward pass cannot update. */
export function countBatches(
  tensors: Readonly<Record<string, HostTensor>>,
  batches: number,
): Record<string, HostTensor> {
  const counts = Object.entries(tensors).filter(([name]) => name.endsWith('.num_batches_tracked'));
  return Object.fromEntries(
    counts.map(([name, tensor]) => [name, { ...tensor, data: Int32Array.of(tensor.data[0]! + batches) }]),
  );
}

/**
 * Fails when a model's batch norm was folded into its convolutions, as in checkpoints converted for inference
 * (weight 1, mean 0, variance 1 - epsilon): with the batch's statistics such a layer is another function.
 * Call it before training with batch norm in training mode.
 * @throws ClipError WEIGHTS_MISMATCH
 */
export function assertBatchNormTrainable(tensors: Readonly<Record<string, HostTensor>>): void {
  const folded = Object.keys(tensors)
    .filter((name) => name.endsWith('.running_mean'))
    .map((name) => name.slice(0, -'.running_mean'.length))
    .filter((name) => isFolded(tensors, name));
  if (folded.length === 0) return;
  throw new ClipError(
    'WEIGHTS_MISMATCH',
    `Batch norm cannot train: the statistics of ${folded.length} layers (${folded[0]}, …) are folded into the ` +
      'convolutions (weight 1, mean 0, variance 1 - epsilon), as in checkpoints converted for inference',
    { hint: 'Keep batch norm in evaluation mode, or start from a checkpoint that has its statistics' },
  );
}

function isFolded(tensors: Readonly<Record<string, HostTensor>>, name: string): boolean {
  const values = (part: string) => Array.from(tensors[`${name}.${part}`]?.data ?? []);
  const variance = values('running_var');
  const first = variance[0] ?? 0;
  return (
    values('running_mean').every((value) => value === 0) &&
    values('weight').every((value) => value === 1) &&
    variance.every((value) => value === first && value < 1 && value > 0.98)
  );
}

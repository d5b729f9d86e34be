/**
 * Batch normalisation over all axes but the last (Ioffe & Szegedy 2015), with torch's conventions. C channels.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import type { ForwardContext } from '../context.js';
import type { HostTensor } from '../types.js';
import { ONES, ZEROS } from './initializers.js';
import { buffer, integerBuffer, layer, parameter, type Layer } from './layer.js';

/** torch's names of the buffers. */
const MEAN = 'running_mean';
const VARIANCE = 'running_var';
const BATCHES = 'num_batches_tracked';

export interface BatchNormOptions {
  readonly epsilon: number;
  /** Weight of the batch's statistics in the new running ones: new = (1 - momentum) old + momentum batch. */
  readonly momentum: number;
}

export interface BatchNorm {
  /**
   * x [..., C] → [..., C], by the running statistics or, when the context asks for it, by the batch's; then the new
   * running statistics, and the number of batches that they have seen, go into `ctx.statistics`.
   */
  readonly normalize: (x: tf.Tensor, ctx: ForwardContext) => tf.Tensor;
  /** What normalising by the running statistics is: x · scale + shift, both [C]. */
  readonly affine: () => { scale: tf.Tensor; shift: tf.Tensor };
}

export function batchNorm(channels: number, { epsilon, momentum }: BatchNormOptions): Layer<BatchNorm> {
  const tensors = {
    weight: parameter([channels], ONES),
    bias: parameter([channels], ZEROS),
    [MEAN]: buffer([channels], ZEROS),
    [VARIANCE]: buffer([channels], ONES),
    [BATCHES]: integerBuffer([], ZEROS),
  };
  return layer(tensors, (bound, name) => {
    const { weight, bias, [MEAN]: runningMean, [VARIANCE]: runningVar } = bound;
    const affine = () => {
      const scale = tf.mul(weight, tf.rsqrt(tf.add(runningVar, epsilon)));
      return { scale, shift: tf.sub(bias, tf.mul(runningMean, scale)) };
    };
    const byBatch = (x: tf.Tensor, ctx: ForwardContext) => {
      const axes = x.shape.slice(0, -1).map((_, axis) => axis);
      const count = x.size / x.shape[x.rank - 1]!;
      const mean = tf.mean(x, axes);
      const centred = tf.sub(x, mean);
      const variance = tf.mean(tf.square(centred), axes);
      const rate = ctx.batchNormMomentum ?? momentum;
      const unbiased = tf.mul(variance, count / Math.max(count - 1, 1));
      ctx.statistics[`${name}.${MEAN}`] = mix(runningMean, mean, rate);
      ctx.statistics[`${name}.${VARIANCE}`] = mix(runningVar, unbiased, rate);
      ctx.statistics[`${name}.${BATCHES}`] = tf.add(bound[BATCHES], tf.scalar(1, 'int32'));
      return tf.add(tf.mul(centred, tf.mul(weight, tf.rsqrt(tf.add(variance, epsilon)))), bias);
    };
    const normalize = (x: tf.Tensor, ctx: ForwardContext) => {
      if (ctx.batchNorm === 'training') return byBatch(x, ctx);
      const { scale, shift } = affine();
      return tf.add(tf.mul(x, scale), shift);
    };
    return { normalize, affine };
  });
}

function mix(old: tf.Tensor, current: tf.Tensor, rate: number): tf.Tensor {
  return tf.add(tf.mul(old, 1 - rate), tf.mul(current, rate));
}

/**
 * Fails when a model's batch norm was folded into its convolutions, as in checkpoints converted for inference
 * (weight 1, mean 0, variance 1 - epsilon): with the batch's statistics such a layer is another function.
 * Call it before training with batch norm in training mode.
 * @throws ClipError WEIGHTS_MISMATCH
 */
export function assertBatchNormTrainable(tensors: Readonly<Record<string, HostTensor>>): void {
  const folded = Object.keys(tensors)
    .filter((name) => name.endsWith(`.${MEAN}`))
    .map((name) => name.slice(0, -`.${MEAN}`.length))
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
  const variance = values(VARIANCE);
  const first = variance[0] ?? 0;
  return (
    values(MEAN).every((value) => value === 0) &&
    values('weight').every((value) => value === 1) &&
    variance.every((value) => value === first && value < 1 && value > 0.98)
  );
}

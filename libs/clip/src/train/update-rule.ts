/** One update of everything that learns, from all gradients together. */
import * as tf from '@tensorflow/tfjs-core';
import { adamw, clipFactor, globalNorm, type AdamWOptions, type UpdateInput } from './adamw.js';
import { firstMoment, LOGIT_SCALE, secondMoment } from './program-state.js';

type Tensors = tf.NamedTensorMap;

export interface UpdateOptions extends AdamWOptions {
  /** Gradients are scaled down to this norm, taken over all of them together. */
  maxGradNorm: number;
}

export interface Update {
  /** Parameters and moments under their names in the state. */
  changed: Tensors;
  /** Before clipping. */
  grad_norm: tf.Tensor;
  logit_scale: tf.Tensor;
}

/** CLIP keeps exp(logit_scale) at most 100, so that training stays stable. */
const LOGIT_SCALE_MAXIMUM = Math.log(100);

/** AdamW on clipped gradients; tensors of rank 0 and 1 (biases, norms, logit_scale) take no weight decay. */
export const updateRule =
  (options: UpdateOptions) =>
  (state: Tensors, gradients: Tensors, inputs: Readonly<Record<UpdateInput, tf.Tensor>>): Update => {
    const grad_norm = globalNorm(Object.values(gradients));
    const scalars = { ...inputs, clip: clipFactor(grad_norm, options.maxGradNorm) };
    const changed: Tensors = {};
    for (const [name, gradient] of Object.entries(gradients)) {
      const moments = {
        param: state[name]!,
        m: state[firstMoment(name)]!,
        v: state[secondMoment(name)]!,
      };
      const weightDecay = gradient.rank < 2 ? 0 : options.weightDecay;
      const { param, m, v } = adamw(moments, gradient, scalars, { ...options, weightDecay });
      changed[name] = name === LOGIT_SCALE ? tf.clipByValue(param, 0, LOGIT_SCALE_MAXIMUM) : param;
      changed[firstMoment(name)] = m;
      changed[secondMoment(name)] = v;
    }
    return { changed, grad_norm, logit_scale: tf.clone((changed[LOGIT_SCALE] ?? state[LOGIT_SCALE])!) };
  };

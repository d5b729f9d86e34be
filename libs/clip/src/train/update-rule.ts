/** One update of everything that learns, from all gradients together. */
import * as tf from '@tensorflow/tfjs-core';
import { adamw, clipFactor, globalNorm, type AdamWOptions, type UpdateInput } from './adamw.js';
import { firstMoment, LOGIT_SCALE, secondMoment } from './program-state.js';

type Tensors = tf.NamedTensorMap;

export interface UpdateOptions extends AdamWOptions {
  /** Gradients are scaled down to this norm, taken over all of them together. */
  maxGradNorm: number;
  /** Factors on the learning rate, by tensor name; 1 where a name is missing. The weight decay of AdamW goes with them. */
  rateFactors?: ReadonlyMap<string, number>;
  /** logit_scale is kept between 0 and this; ln 100 by default, as CLIP does so that training stays stable. */
  logitScaleMaximum?: number;
}

export interface Update {
  /** Parameters and moments under their names in the state. */
  changed: Tensors;
  /** Before clipping. */
  grad_norm: tf.Tensor;
  logit_scale: tf.Tensor;
}

const LOGIT_SCALE_MAXIMUM = Math.log(100);

/** AdamW on clipped gradients, which carry the factor loss_scale; tensors of rank 0 and 1 (biases, norms, logit_scale) take no weight decay. */
export const updateRule =
  (options: UpdateOptions) =>
  (state: Tensors, gradients: Tensors, inputs: Readonly<Record<UpdateInput, tf.Tensor>>): Update => {
    const grad_norm = tf.div<tf.Scalar>(globalNorm(Object.values(gradients)), inputs.loss_scale);
    const clip = tf.div(clipFactor(grad_norm, options.maxGradNorm), inputs.loss_scale);
    const { logitScaleMaximum: maximum = LOGIT_SCALE_MAXIMUM } = options;
    const rateOf = ratesByFactor(inputs.lr);
    const changed: Tensors = {};
    for (const [name, gradient] of Object.entries(gradients)) {
      const moments = {
        param: state[name]!,
        m: state[firstMoment(name)]!,
        v: state[secondMoment(name)]!,
      };
      const weightDecay = gradient.rank < 2 ? 0 : options.weightDecay;
      const scalars = { ...inputs, lr: rateOf(options.rateFactors?.get(name) ?? 1), clip };
      const { param, m, v } = adamw(moments, gradient, scalars, { ...options, weightDecay });
      changed[name] = name === LOGIT_SCALE ? tf.clipByValue(param, 0, maximum) : param;
      changed[firstMoment(name)] = m;
      changed[secondMoment(name)] = v;
    }
    return { changed, grad_norm, logit_scale: tf.clone((changed[LOGIT_SCALE] ?? state[LOGIT_SCALE])!) };
  };

/** lr · factor, one tensor for each factor. */
function ratesByFactor(lr: tf.Tensor): (factor: number) => tf.Tensor {
  const rates = new Map<number, tf.Tensor>([[1, lr]]);
  return (factor) => {
    const rate = rates.get(factor) ?? tf.mul(lr, factor);
    rates.set(factor, rate);
    return rate;
  };
}

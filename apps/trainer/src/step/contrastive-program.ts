/**
 * The program of contrastive training. Its inputs select what it does:
 *
 *   pixel_values, input_ids, attention_mask, seed, <update>   one step: forward, loss, backward, AdamW
 *   pixel_values                                              image_embeds, evaluation mode
 *   input_ids, attention_mask                                 text_embeds, evaluation mode
 *
 * and for contrastive batches that are wider than what goes through the towers at a time (GradCache, Gao et al. 2021):
 *
 *   pixel_values, input_ids, attention_mask, seed             embeddings of a micro-batch, training mode
 *   image_embeds, text_embeds                                 loss of the wide batch and its gradients
 *   … the micro-batch again, image_grads, text_grads          adds the micro-batch's gradients to the state
 *   logit_scale_grad, <update>                                AdamW on the sum, which starts anew
 *
 * <update> is lr, correction1, correction2 (scalars). B batch, T tokens, E embedding, N = B × micro-batches.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  contrastiveLoss,
  createContext,
  encodeImages,
  encodeTexts,
  type DualEncoder,
  type TensorSpec,
} from '@clip-ts/clip/model';
import { adamw, clipFactor, globalNorm, type AdamWOptions } from './adamw.js';
import type { HostTensors, Program, ProgramResult } from './runner.js';

/** CLIP keeps exp(logit_scale) at most 100, so that training stays stable. */
const LOGIT_SCALE_MAXIMUM = Math.log(100);
const LOGIT_SCALE = 'logit_scale';

const momentum = (name: string) => `adam_m.${name}`;
const variance = (name: string) => `adam_v.${name}`;
const accumulated = (name: string) => `grad.${name}`;

export interface ContrastiveOptions extends AdamWOptions {
  weightDecay: number;
  maximumGradientNorm: number;
  /** Towers run in evaluation mode and keep their weights; heads and logit_scale learn. */
  frozenTowers: boolean;
  /** 'training': batch norm takes the batch's statistics and updates its running ones. */
  batchNorm: 'evaluation' | 'training';
  /** The state has room for the gradients of a wide batch. */
  wideBatch: boolean;
}

/** Names of the tensors that learn; without a learned temperature, logit_scale does not. */
export function trainableNames(
  model: DualEncoder,
  specs: readonly TensorSpec[],
  { frozenTowers, learnTemperature }: { frozenTowers: boolean; learnTemperature: boolean },
): string[] {
  const inTower = ({ name }: TensorSpec) =>
    name.startsWith(model.visionPrefix) || name.startsWith(model.textPrefix);
  return specs
    .filter((spec) => spec.trainable && !(frozenTowers && inTower(spec)))
    .map(({ name }) => name)
    .filter((name) => learnTemperature || name !== LOGIT_SCALE);
}

/** The state of the program: weights, moments (zero unless given), gradient sums for wide batches. */
export function initialState(
  weights: HostTensors,
  trainable: readonly string[],
  wideBatch: boolean,
  moments: HostTensors = {},
): HostTensors {
  const state: HostTensors = { ...weights };
  for (const name of trainable) {
    const { shape, data } = weights[name]!;
    const zeros = () => ({ data: new Float32Array(data.length), shape, dtype: 'float32' as const });
    state[momentum(name)] = moments[momentum(name)] ?? zeros();
    state[variance(name)] = moments[variance(name)] ?? zeros();
    if (wideBatch) state[accumulated(name)] = zeros();
  }
  return state;
}

/** Names of the optimiser's tensors in the state, for checkpoints. */
export const momentNames = (trainable: readonly string[]): string[] =>
  trainable.flatMap((name) => [momentum(name), variance(name)]);

type Tensors = tf.NamedTensorMap;

/** Hands tensors that were kept out of an inner scope to the current one. */
function unkept(tensors: Tensors): Tensors {
  const handed: Tensors = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    handed[name] = tf.clone(tensor);
    tensor.dispose();
  }
  return handed;
}

export function contrastiveProgram(
  model: DualEncoder,
  trainable: readonly string[],
  options: ContrastiveOptions,
): Program {
  /** Embeddings in training mode. New running statistics go to `statistics`, kept beyond the gradient's scope. */
  const embed = (weights: Tensors, inputs: Tensors, statistics: Tensors = {}) => {
    const { frozenTowers, batchNorm } = options;
    const ctx = createContext({ training: true, seed: inputs.seed, frozenTowers, batchNorm });
    const image_embeds = encodeImages(model, weights, inputs.pixel_values!, ctx);
    const text_embeds = encodeTexts(model, weights, inputs.input_ids!, inputs.attention_mask, ctx);
    for (const [name, value] of Object.entries(ctx.statistics)) statistics[name] = tf.keep(value);
    return { image_embeds, text_embeds };
  };

  /** Gradients of a scalar with respect to the trainable tensors. A tensor that it does not depend on has none. */
  const gradientsOf = (state: Tensors, scalarOf: (weights: Tensors) => tf.Scalar) => {
    const parameters = trainable.map((name) => state[name]!);
    const { value, grads } = tf.engine().gradients(() => scalarOf(state), parameters, undefined, true);
    const gradients: Tensors = {};
    trainable.forEach((name, i) => {
      const gradient = grads[i] as tf.Tensor | null | undefined;
      if (gradient) gradients[name] = gradient;
    });
    return { value, gradients };
  };

  /** AdamW over all gradients; rank 0 and 1 (biases, norms, logit_scale) take no decay. */
  const update = (state: Tensors, gradients: Tensors, inputs: Tensors) => {
    const norm = globalNorm(Object.values(gradients));
    const scalars = {
      learningRate: inputs.lr!,
      clip: clipFactor(norm, options.maximumGradientNorm),
      correction1: inputs.correction1!,
      correction2: inputs.correction2!,
    };
    const changed: Tensors = {};
    for (const [name, gradient] of Object.entries(gradients)) {
      const moments = { param: state[name]!, m: state[momentum(name)]!, v: state[variance(name)]! };
      const weightDecay = gradient.rank < 2 ? 0 : options.weightDecay;
      const { param, m, v } = adamw(moments, gradient, scalars, { ...options, weightDecay });
      changed[name] = name === LOGIT_SCALE ? tf.clipByValue(param, 0, LOGIT_SCALE_MAXIMUM) : param;
      changed[momentum(name)] = m;
      changed[variance(name)] = v;
    }
    return { changed, norm, logitScale: tf.clone((changed[LOGIT_SCALE] ?? state[LOGIT_SCALE])!) };
  };

  const step = (state: Tensors, inputs: Tensors): ProgramResult => {
    const statistics: Tensors = {};
    const { value: loss, gradients } = gradientsOf(state, (weights) => {
      const { image_embeds, text_embeds } = embed(weights, inputs, statistics);
      return contrastiveLoss(image_embeds, text_embeds, weights[LOGIT_SCALE]).loss;
    });
    const { changed, norm, logitScale } = update(state, gradients, inputs);
    return {
      state: { ...changed, ...unkept(statistics) },
      outputs: { loss, grad_norm: norm, logit_scale: logitScale },
    };
  };

  const lossOfEmbeddings = (state: Tensors, inputs: Tensors): ProgramResult => {
    const arguments_ = [inputs.image_embeds!, inputs.text_embeds!, state[LOGIT_SCALE]!];
    const { value: loss, grads } = tf
      .engine()
      .gradients(() => contrastiveLoss(arguments_[0]!, arguments_[1]!, arguments_[2]).loss, arguments_);
    const [image_grads, text_grads, logit_scale_grad] = grads as [tf.Tensor, tf.Tensor, tf.Tensor];
    return { state: {}, outputs: { loss, image_grads, text_grads, logit_scale_grad } };
  };

  /** ∂(Σ embedding · its gradient)/∂w is the micro-batch's share of ∂loss/∂w. */
  const accumulate = (state: Tensors, inputs: Tensors): ProgramResult => {
    const statistics: Tensors = {};
    const { gradients } = gradientsOf(state, (weights) => {
      const { image_embeds, text_embeds } = embed(weights, inputs, statistics);
      const shares = [tf.mul(image_embeds, inputs.image_grads!), tf.mul(text_embeds, inputs.text_grads!)];
      return tf.add(tf.sum(shares[0]!), tf.sum(shares[1]!));
    });
    const changed = unkept(statistics);
    for (const [name, gradient] of Object.entries(gradients)) {
      changed[accumulated(name)] = tf.add(state[accumulated(name)]!, gradient);
    }
    return { state: changed, outputs: { done: tf.scalar(1) } };
  };

  const updateFromSum = (state: Tensors, inputs: Tensors): ProgramResult => {
    const gradients: Tensors = {};
    for (const name of trainable) gradients[name] = state[accumulated(name)]!;
    if (gradients[LOGIT_SCALE]) gradients[LOGIT_SCALE] = inputs.logit_scale_grad!;
    const { changed, norm, logitScale } = update(state, gradients, inputs);
    for (const name of trainable) changed[accumulated(name)] = tf.zerosLike(state[accumulated(name)]!);
    return { state: changed, outputs: { grad_norm: norm, logit_scale: logitScale } };
  };

  return (state, inputs) => {
    if (inputs.logit_scale_grad) return updateFromSum(state, inputs);
    if (inputs.image_embeds) return lossOfEmbeddings(state, inputs);
    if (inputs.image_grads) return accumulate(state, inputs);
    if (inputs.lr) return step(state, inputs);
    if (inputs.seed) return { state: {}, outputs: embed(state, inputs) };
    const ctx = createContext();
    if (inputs.pixel_values)
      return { state: {}, outputs: { image_embeds: encodeImages(model, state, inputs.pixel_values, ctx) } };
    return {
      state: {},
      outputs: { text_embeds: encodeTexts(model, state, inputs.input_ids!, inputs.attention_mask, ctx) },
    };
  };
}

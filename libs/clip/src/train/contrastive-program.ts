/**
 * The program of contrastive training. `step` makes one update. A contrastive batch that is wider than what goes through
 * the towers at a time takes four functions (GradCache, Gao et al. 2021): `embedPairs` for each micro-batch,
 * `lossOfEmbeddings` over all pairs, `accumulate` for each micro-batch again, `applySum`.
 * B pairs of a micro-batch, T tokens, E embedding, N pairs of the contrastive batch.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  createContext,
  encodeImages,
  encodeTexts,
  type DualEncoder,
  type FrozenTowers,
} from '../model/index.js';
import type { UpdateInput } from './adamw.js';
import { embeddingProgram, type EmbeddingProgram } from './embedding-program.js';
import { valueAndGradients } from './gradients.js';
import { lossOf, type LossOptions } from './loss.js';
import { lossFunctions, type LossFunctions } from './loss-program.js';
import type { ProgramFunction } from './program.js';
import { gradientSum, LOGIT_BIAS, LOGIT_SCALE } from './program-state.js';
import { updateRule, type UpdateOptions } from './update-rule.js';

type Tensors = tf.NamedTensorMap;
/** pixel_values [B, 3, H, W], input_ids and attention_mask [B, T], and the int32 seed of the random masks. */
type PairInput = 'pixel_values' | 'input_ids' | 'attention_mask' | 'seed';

export interface ContrastiveProgram extends EmbeddingProgram, LossFunctions {
  /** Forward, loss, backward, AdamW. Scalars out: the loss, the gradients' norm before clipping, the new logit_scale. */
  step: ProgramFunction<PairInput | UpdateInput, 'loss' | 'grad_norm' | 'logit_scale'>;
  /** Embeddings [B, E] of a micro-batch in training mode. */
  embedPairs: ProgramFunction<PairInput, 'image_embeds' | 'text_embeds'>;
  /** Adds a micro-batch's gradients to the sums in the state, given those of its embeddings [B, E]; both carry loss_scale. */
  accumulate: ProgramFunction<PairInput | 'image_grads' | 'text_grads', 'done'>;
  /** AdamW on the sums, which are reset to 0. */
  applySum: ProgramFunction<
    'logit_scale_grad' | 'logit_bias_grad' | UpdateInput,
    'grad_norm' | 'logit_scale'
  >;
  /** Resets the sums to 0, where they overflowed and `applySum` changed nothing. */
  dropSum: ProgramFunction<'seed', 'done'>;
}

export interface ContrastiveOptions extends UpdateOptions {
  /** Towers that run in evaluation mode; to keep their weights, leave them out of `trainable`. */
  frozenTowers: FrozenTowers;
  /** 'training': batch norm takes the batch's statistics and updates its running ones. */
  batchNorm: 'evaluation' | 'training';
  /** Blocks of towers compute their inner values again in the backward pass, which takes less memory and more time. */
  gradientCheckpointing?: boolean;
  /** Absent: the symmetric cross-entropy. */
  loss?: LossOptions;
}

/** @param trainable names of the tensors that learn; program-state.ts makes the state that goes with them */
export function contrastiveProgram(
  model: DualEncoder,
  trainable: readonly string[],
  options: ContrastiveOptions,
): ContrastiveProgram {
  /** Embeddings in training mode. New running statistics go to `statistics`, kept beyond the gradient's scope. */
  const embed = (weights: Tensors, inputs: Readonly<Record<PairInput, tf.Tensor>>, statistics: Tensors) => {
    const { frozenTowers, batchNorm, gradientCheckpointing } = options;
    const { seed } = inputs;
    const ctx = createContext({ training: true, seed, frozenTowers, batchNorm, gradientCheckpointing });
    const image_embeds = encodeImages(model, weights, inputs.pixel_values, ctx);
    const text_embeds = encodeTexts(model, weights, inputs.input_ids, inputs.attention_mask, ctx);
    for (const [name, value] of Object.entries(ctx.statistics)) statistics[name] = tf.keep(value);
    return { image_embeds, text_embeds };
  };

  const { loss: lossOptions = { kind: 'softmax' } } = options;
  const update = updateRule(options);
  const zeroSums = (state: Tensors): Tensors =>
    Object.fromEntries(trainable.map((name) => [gradientSum(name), tf.zerosLike(state[gradientSum(name)]!)]));

  return {
    ...embeddingProgram(model),
    ...lossFunctions(lossOptions),

    step: (state, inputs) => {
      const statistics: Tensors = {};
      const { value: loss, gradients } = valueAndGradients(
        (weights) => {
          const { image_embeds, text_embeds } = embed(weights, inputs, statistics);
          return lossOf(lossOptions, image_embeds, text_embeds, weights);
        },
        state,
        trainable,
        inputs.loss_scale,
      );
      const { changed, grad_norm, logit_scale } = update(state, gradients, inputs);
      return { state: { ...changed, ...unkept(statistics) }, outputs: { loss, grad_norm, logit_scale } };
    },

    embedPairs: (state, inputs) => {
      const statistics: Tensors = {};
      const outputs = embed(state, inputs, statistics);
      // `accumulate` computes the batch's statistics again and returns them.
      tf.dispose(statistics);
      return { state: {}, outputs };
    },

    /** ∂(Σ embedding · its gradient)/∂w is the micro-batch's share of ∂loss/∂w. */
    accumulate: (state, inputs) => {
      const statistics: Tensors = {};
      const { gradients } = valueAndGradients(
        (weights) => {
          const { image_embeds, text_embeds } = embed(weights, inputs, statistics);
          const ofImages = tf.sum<tf.Scalar>(tf.mul(image_embeds, inputs.image_grads));
          return tf.add<tf.Scalar>(ofImages, tf.sum(tf.mul(text_embeds, inputs.text_grads)));
        },
        state,
        trainable,
      );
      const changed = unkept(statistics);
      for (const [name, gradient] of Object.entries(gradients)) {
        changed[gradientSum(name)] = tf.add(state[gradientSum(name)]!, gradient);
      }
      return { state: changed, outputs: { done: tf.scalar(1) } };
    },

    applySum: (state, inputs) => {
      const gradients: Tensors = {};
      for (const name of trainable) gradients[name] = state[gradientSum(name)]!;
      if (gradients[LOGIT_SCALE]) gradients[LOGIT_SCALE] = inputs.logit_scale_grad;
      if (gradients[LOGIT_BIAS]) gradients[LOGIT_BIAS] = inputs.logit_bias_grad;
      const { changed, grad_norm, logit_scale } = update(state, gradients, inputs);
      return { state: { ...changed, ...zeroSums(state) }, outputs: { grad_norm, logit_scale } };
    },

    dropSum: (state) => ({ state: zeroSums(state), outputs: { done: tf.scalar(1) } }),
  };
}

/** Hands tensors that were kept out of an inner scope to the current one. */
function unkept(tensors: Tensors): Tensors {
  const handed: Tensors = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    handed[name] = tf.clone(tensor);
    tensor.dispose();
  }
  return handed;
}

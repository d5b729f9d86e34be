/**
 * Training heads on frozen towers without running the towers at each step: what the towers give for an image or a caption
 * does not change, so it is computed once, and only the heads learn from it.
 * B batch, T tokens, D tower width (each tower's own), E embedding.
 */
import { createContext, type DualEncoder } from '../model/index.js';
import type { UpdateInput } from './adamw.js';
import { projectionFunctions, type ProjectionFunctions } from './embedding-program.js';
import { valueAndGradients } from './gradients.js';
import { lossOf, type LossOptions } from './loss.js';
import { lossFunctions, type LossFunctions } from './loss-program.js';
import type { ProgramFunction } from './program.js';
import { updateRule, type UpdateOptions } from './update-rule.js';

/** Its state is the towers' weights, which stay as they are. */
export interface FeatureProgram {
  /** pixel_values [B, 3, H, W] → image_features [B, D], evaluation mode. */
  featuresOfImages: ProgramFunction<'pixel_values', 'image_features'>;
  /** input_ids, attention_mask [B, T] → text_features [B, D], evaluation mode. */
  featuresOfTexts: ProgramFunction<'input_ids' | 'attention_mask', 'text_features'>;
}

export const featureProgram = (model: DualEncoder): FeatureProgram => ({
  featuresOfImages: (weights, inputs) => ({
    state: {},
    outputs: { image_features: model.layer.bind(weights, '').imageFeatures(inputs, createContext()) },
  }),
  featuresOfTexts: (weights, inputs) => ({
    state: {},
    outputs: { text_features: model.layer.bind(weights, '').textFeatures(inputs, createContext()) },
  }),
});

/** Its state is the heads' weights and logit_scale, and AdamW's moments of what learns. */
export interface HeadProgram extends LossFunctions, ProjectionFunctions {
  /** One update on N pairs: the step of the contrastive program with frozen towers, from the towers' features [N, D]. */
  stepOnFeatures: ProgramFunction<
    'image_features' | 'text_features' | 'seed' | UpdateInput,
    'loss' | 'grad_norm' | 'logit_scale'
  >;
}

/** @param trainable names of the tensors that learn, those of heads and logit_scale */
export function headProgram(
  model: DualEncoder,
  trainable: readonly string[],
  options: UpdateOptions & { loss?: LossOptions },
): HeadProgram {
  const { loss: lossOptions = { kind: 'softmax' } } = options;
  const update = updateRule(options);
  return {
    ...lossFunctions(lossOptions),
    ...projectionFunctions(model),

    stepOnFeatures: (state, inputs) => {
      const { value: loss, gradients } = valueAndGradients(
        (weights) => {
          const ctx = createContext({ training: true, seed: inputs.seed, frozenTowers: true });
          const heads = model.layer.bind(weights, '');
          const image_embeds = heads.projectImages(inputs.image_features, ctx);
          const text_embeds = heads.projectTexts(inputs.text_features, ctx);
          return lossOf(lossOptions, image_embeds, text_embeds, weights);
        },
        state,
        trainable,
        inputs.loss_scale,
      );
      const { changed, grad_norm, logit_scale } = update(state, gradients, inputs);
      return { state: changed, outputs: { loss, grad_norm, logit_scale } };
    },
  };
}

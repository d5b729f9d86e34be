/**
 * DeiT (Touvron et al. 2020) as transformers' `DeiTModel`: ViT with a distillation token beside the class token.
 */
import type { TowerDefinition, VisionInputs } from '../types.js';
import { pair } from './patches.js';
import { parseVit, vitForward, vitSpecs, type VitConfig } from './vit.js';

const TOKENS = ['cls_token', 'distillation_token'];

export const deit: TowerDefinition<VitConfig, VisionInputs> = {
  modelTypes: ['deit'],
  baseModelPrefix: 'deit',
  parseConfig: (json) => parseVit('deit', json),
  // DeiT starts its tokens and positions at zero where ViT draws them.
  tensorSpecs: (config) =>
    vitSpecs(config, TOKENS).map((spec) =>
      spec.name.startsWith('embeddings.') && spec.shape[0] === 1
        ? { ...spec, init: { kind: 'zeros' } }
        : spec,
    ),
  forward: (weights, config, inputs, ctx) => vitForward(weights, config, inputs, ctx, TOKENS),
  outputSize: (config) => config.pooler_output_size ?? config.hidden_size,
  droppable: /^embeddings\.mask_token$/,
  optional: /^pooler\./,
  imageSize: (config) => pair(config.image_size),
};

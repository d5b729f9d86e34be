/**
 * DeiT (Touvron et al. 2020) as transformers' `DeiTModel`: ViT with a distillation token beside the class token.
 * Tokens and positions start at zero where ViT draws them.
 */
import { ZEROS } from '../layers/index.js';
import type { TowerDefinition, VisionInputs } from '../tower.js';
import { parseVit, vitOutputSize, vitTower, type VitConfig } from './vit.js';

export const deit: TowerDefinition<VitConfig, VisionInputs> = {
  modelTypes: ['deit'],
  baseModelPrefix: 'deit',
  parseConfig: (json) => parseVit('deit', json),
  layer: (config) => vitTower(config, { distilled: true, tokenInit: ZEROS }),
  outputSize: vitOutputSize,
  droppable: ['embeddings.mask_token'],
  imageSize: (config) => config.image_size,
};

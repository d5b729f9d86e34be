/** The towers whose forward pass is timed: configurations in transformers' keys, read by every side. */

import { DISTILROBERTA, SWIN_T } from '../shared/configs.mjs';

/** @typedef {{ kind: 'vision' | 'text', tokens: number, unit: string, config: Record<string, unknown> }} TimedTower */

/** @type {Record<string, TimedTower>} */
export const TOWERS = {
  'vision.vit_b32': {
    kind: 'vision',
    tokens: 0,
    unit: 'images/s',
    config: {
      model_type: 'vit',
      image_size: 224,
      patch_size: 32,
      hidden_size: 768,
      num_hidden_layers: 12,
      num_attention_heads: 12,
      intermediate_size: 3072,
    },
  },
  'vision.swin_t': {
    kind: 'vision',
    tokens: 0,
    unit: 'images/s',
    config: SWIN_T,
  },
  'text.distilroberta': {
    kind: 'text',
    tokens: 32,
    unit: 'texts/s',
    config: DISTILROBERTA,
  },
};

export const BATCHES = [1, 8, 32];
export const IMAGE_SIZE = 224;

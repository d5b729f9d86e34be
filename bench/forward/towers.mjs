/** The towers whose forward pass is timed: configurations in transformers' keys, read by every side. */

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
    config: {
      model_type: 'swin',
      image_size: 224,
      patch_size: 4,
      embed_dim: 96,
      depths: [2, 2, 6, 2],
      num_heads: [3, 6, 12, 24],
      window_size: 7,
    },
  },
  'text.distilroberta': {
    kind: 'text',
    tokens: 32,
    unit: 'texts/s',
    config: {
      model_type: 'roberta',
      vocab_size: 50265,
      hidden_size: 768,
      num_hidden_layers: 6,
      num_attention_heads: 12,
      intermediate_size: 3072,
      max_position_embeddings: 514,
      type_vocab_size: 1,
      layer_norm_eps: 1e-5,
      pad_token_id: 1,
    },
  },
};

export const BATCHES = [1, 8, 32];
export const IMAGE_SIZE = 224;

/** Published towers as configurations in transformers' keys. */

export const SWIN_T = {
  model_type: 'swin',
  image_size: 224,
  patch_size: 4,
  embed_dim: 96,
  depths: [2, 2, 6, 2],
  num_heads: [3, 6, 12, 24],
  window_size: 7,
};

export const ROBERTA_BASE = {
  model_type: 'roberta',
  vocab_size: 50265,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 514,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  pad_token_id: 1,
};

export const DISTILROBERTA = { ...ROBERTA_BASE, num_hidden_layers: 6 };

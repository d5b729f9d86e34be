/**
 * The training steps that are timed: configurations in transformers' keys, read by every side.
 * Dropout and drop path are off and batch norm keeps its statistics, so that all sides compute the same function.
 */

import { DISTILROBERTA, SWIN_T } from '../shared/configs.mjs';

/** @typedef {{ batch: number, tokens: number, image: number, frozen: boolean, allTokens?: boolean, projection: number, vision: Record<string, unknown>, text: Record<string, unknown> }} Shape */

const swinAndRoberta = {
  batch: 8,
  tokens: 32,
  image: 224,
  projection: 512,
  vision: { ...SWIN_T, drop_path_rate: 0 },
  text: {
    ...DISTILROBERTA,
    bos_token_id: 0,
    eos_token_id: 2,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
  },
};

/** @type {Record<string, Shape>} */
const SHAPES = {
  // 18.7 M parameters: 4 layers of width 384 in both towers, 50 image and 32 text tokens.
  a: {
    batch: 32,
    tokens: 32,
    image: 224,
    frozen: false,
    projection: 256,
    vision: {
      model_type: 'vit',
      hidden_size: 384,
      num_hidden_layers: 4,
      num_attention_heads: 6,
      intermediate_size: 1536,
      image_size: 224,
      patch_size: 32,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    },
    text: {
      model_type: 'bert',
      vocab_size: 7000,
      hidden_size: 384,
      num_hidden_layers: 4,
      num_attention_heads: 6,
      intermediate_size: 1536,
      max_position_embeddings: 64,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    },
  },
  // Swin-T at 224 pixels and DistilRoBERTa, everything learns.
  b: { ...swinAndRoberta, frozen: false },
  // The same with frozen towers: the heads and the temperature learn.
  c: { ...swinAndRoberta, frozen: true },
  // MobileNetV2 and MiniLM-L6 as published, everything learns.
  d: {
    batch: 48,
    tokens: 24,
    image: 160,
    frozen: false,
    projection: 256,
    // Weights of the usual size (0.02) would let the features vanish where batch norm does not scale them.
    vision: { model_type: 'mobilenet_v2', image_size: 160, layer_norm_eps: 0.001, initializer_range: 0.15 },
    text: {
      model_type: 'bert',
      vocab_size: 30522,
      hidden_size: 384,
      num_hidden_layers: 6,
      num_attention_heads: 12,
      intermediate_size: 1536,
      max_position_embeddings: 512,
      type_vocab_size: 2,
      layer_norm_eps: 1e-12,
      pad_token_id: 0,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    },
  },
};

/** The optimiser of every side, in the rules of the trainer: tensors of fewer than two dimensions take no weight decay. */
export const OPTIMIZER = {
  learningRate: 1e-4,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradNorm: 1,
};

export const SHAPE_NAMES = Object.keys(SHAPES);

/**
 * "a", or "a+" for the step that computes all tokens of every block as PyTorch's modules do.
 * @param {string} name
 */
export function shapeNamed(name) {
  const shape = SHAPES[name.replace('+', '')];
  if (shape === undefined) throw new Error(`unknown shape "${name}": ${SHAPE_NAMES.join(', ')} or all`);
  return { ...shape, allTokens: name.endsWith('+') };
}

/** Pixels in [-1, 1) and ids, the same on every call. @param {Shape} shape */
export function makeBatch({ batch, tokens, image, text }) {
  const pixels = Float32Array.from(
    { length: batch * 3 * image * image },
    (_, i) => ((i * 7919) % 2003) / 1001.5 - 1,
  );
  const vocabulary = Number(text.vocab_size);
  const ids = Int32Array.from({ length: batch * tokens }, (_, i) => 5 + ((i * 31) % (vocabulary - 5)));
  return { pixels, ids };
}

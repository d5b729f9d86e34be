/**
 * The text transformer of CLIP (Radford et al. 2021) and SigLIP (Zhai et al. 2023): token and position embeddings,
 * pre-norm blocks, a last layer norm. The two differ in mask, pooling and initialisation.
 * B batch, T tokens, V vocab_size, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { clipEncoder, type EncoderConfig, type EncoderInitializers } from '../blocks/clip-encoder.js';
import { everyPosition, type ForwardContext } from '../context.js';
import { embeddingTable, layerNorm, type Bound } from '../layers/index.js';
import { paddingMask } from '../ops/index.js';
import type { TextInputs } from '../tower.js';
import type { Initializer } from '../types.js';

export interface TextTransformerConfig extends EncoderConfig {
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
}

/** @param embeddingInit how both tables start */
export function textTransformer(
  config: TextTransformerConfig,
  init: EncoderInitializers,
  embeddingInit: Initializer,
) {
  const { vocab_size: V, hidden_size: D, max_position_embeddings } = config;
  return {
    embeddings: {
      token_embedding: embeddingTable(V, D, embeddingInit),
      position_embedding: embeddingTable(max_position_embeddings, D, embeddingInit),
    },
    encoder: clipEncoder(config, init),
    final_layer_norm: layerNorm(D, config.layer_norm_eps),
  };
}

/**
 * All tokens, since neither model pools its first.
 * @param mask of attention between tokens, [1, 1, T, T]; the padding's is added
 * @returns last_hidden_state [B, T, D]
 */
export function encodeTokens(
  { embeddings, encoder, final_layer_norm }: Bound<ReturnType<typeof textTransformer>>,
  { input_ids, attention_mask }: TextInputs,
  ctx: ForwardContext,
  mask?: tf.Tensor,
): tf.Tensor {
  const words = embeddings.token_embedding(input_ids); // [B, T, D]
  const positions = embeddings.position_embedding.first(input_ids.shape[1]!); // [T, D]
  const padding = attention_mask === undefined ? undefined : paddingMask(attention_mask);
  const both = mask !== undefined && padding !== undefined ? tf.add(mask, padding) : (mask ?? padding);
  return final_layer_norm(encoder(tf.add(words, positions), everyPosition(ctx), both));
}

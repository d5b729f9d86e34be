/**
 * CLIP's text tower (Radford et al. 2021) as transformers' `CLIPTextModel`: causal attention; the text is
 * represented by its end token. B batch, T tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { checkHeads, clipInitializers, encode, encoderSpecs } from '../blocks/clip-encoder.js';
import {
  activationName,
  configSchema,
  epsilon,
  noEffect,
  parseConfigWith,
  rate,
  size,
  tokenId,
} from '../config/schema.js';
import { causalMask, embedding, paddingMask, tokenAt } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TextInputs, TowerDefinition, Weights } from '../types.js';
import { layerNormLayer, layerNormSpecs, param, paramSpec } from '../weights/params.js';
import { checkTokens } from './tokens.js';

/** Configs of before transformers 4.31 say 2 whatever the vocabulary; the end token is then the largest id. */
const LEGACY_EOS = 2;

const schema = configSchema({
  vocab_size: size().default(49408),
  hidden_size: size().default(512),
  intermediate_size: size().default(2048),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(8),
  max_position_embeddings: size().default(77),
  hidden_act: activationName().default('quick_gelu'),
  layer_norm_eps: epsilon().default(1e-5),
  attention_dropout: rate().default(0),
  initializer_range: noEffect(),
  initializer_factor: z.number().min(0).default(1),
  eos_token_id: tokenId().default(49407),
  // old configs carry it; the model never had it
  dropout: noEffect(),
  // the projection belongs to the two-tower model
  projection_dim: noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'clip_text_model', json);
  checkHeads('clip_text_model', config);
  return config;
}

const EMBEDDINGS = 'text_model.embeddings';

function tensorSpecs(config: Config): TensorSpec[] {
  const { hidden_size: D, initializer_factor: factor } = config;
  const init = { kind: 'normal', std: 0.02 * factor } as const;
  return [
    paramSpec(`${EMBEDDINGS}.token_embedding.weight`, [config.vocab_size, D], init),
    paramSpec(`${EMBEDDINGS}.position_embedding.weight`, [config.max_position_embeddings, D], init),
    ...encoderSpecs('text_model.encoder', config, clipInitializers(config, factor)),
    ...layerNormSpecs('text_model.final_layer_norm', D),
  ];
}

/** [B] where each text ends: its first end token, by either convention. */
function endPositions(input_ids: tf.Tensor, eos: number): tf.Tensor {
  if (eos === LEGACY_EOS) return tf.argMax(input_ids, 1);
  return tf.argMax(tf.cast(tf.equal(input_ids, tf.scalar(eos, 'int32')), 'int32'), 1);
}

function forward(
  weights: Weights,
  config: Config,
  { input_ids, attention_mask }: TextInputs,
  ctx: ForwardContext,
) {
  checkTokens(input_ids, config.max_position_embeddings);
  const T = input_ids.shape[1]!;
  const words = embedding(param(weights, `${EMBEDDINGS}.token_embedding.weight`), input_ids);
  const positions = tf.slice(
    param(weights, `${EMBEDDINGS}.position_embedding.weight`),
    [0, 0],
    [T, config.hidden_size],
  );
  const causal = causalMask(T, config.max_position_embeddings);
  const mask = attention_mask === undefined ? causal : tf.add(causal, paddingMask(attention_mask));
  const encoded = encode(weights, 'text_model.encoder', config, tf.add(words, positions), mask, ctx);
  const last_hidden_state = layerNormLayer(
    weights,
    'text_model.final_layer_norm',
    encoded,
    config.layer_norm_eps,
  );
  const pooler_output = tokenAt(
    last_hidden_state,
    endPositions(input_ids, config.eos_token_id),
    config.max_position_embeddings,
  );
  return { last_hidden_state, pooler_output };
}

export const clipText: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['clip_text_model'],
  baseModelPrefix: 'clip',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.hidden_size,
  maxTokens: (config) => config.max_position_embeddings,
};

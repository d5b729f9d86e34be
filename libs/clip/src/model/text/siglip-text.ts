/**
 * SigLIP's text tower (Zhai et al. 2023) as transformers' `SiglipTextModel`: attention in both directions;
 * the last position, usually padding, represents the text. B batch, T tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import { checkHeads, encode, encoderSpecs, lecunNormal, siglipInitializers } from '../blocks/clip-encoder.js';
import {
  activationName,
  configSchema,
  epsilon,
  noEffect,
  parseConfigWith,
  rate,
  size,
} from '../config/schema.js';
import { embedding, lastToken, paddingMask } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TextInputs, TowerDefinition, Weights } from '../types.js';
import {
  layerNormLayer,
  layerNormSpecs,
  linearLayer,
  linearSpecs,
  param,
  paramSpec,
} from '../weights/params.js';
import { checkTokens } from './tokens.js';

const schema = configSchema({
  vocab_size: size().default(32000),
  hidden_size: size().default(768),
  intermediate_size: size().default(3072),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  max_position_embeddings: size().default(64),
  hidden_act: activationName().default('gelu_pytorch_tanh'),
  layer_norm_eps: epsilon().default(1e-6),
  attention_dropout: rate().default(0),
  // the initialisation follows from the sizes alone
  initializer_range: noEffect(),
  initializer_factor: noEffect(),
  projection_size: size().nullish(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'siglip_text_model', json);
  checkHeads('siglip_text_model', config);
  return config;
}

const EMBEDDINGS = 'text_model.embeddings';

function tensorSpecs(config: Config): TensorSpec[] {
  const { hidden_size: D } = config;
  const init = { kind: 'normal', std: D ** -0.5 } as const;
  return [
    paramSpec(`${EMBEDDINGS}.token_embedding.weight`, [config.vocab_size, D], init),
    paramSpec(`${EMBEDDINGS}.position_embedding.weight`, [config.max_position_embeddings, D], init),
    ...encoderSpecs('text_model.encoder', config, siglipInitializers(config)),
    ...layerNormSpecs('text_model.final_layer_norm', D),
    ...linearSpecs('text_model.head', config.projection_size ?? D, D, lecunNormal(D)),
  ];
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
  const mask = attention_mask === undefined ? undefined : paddingMask(attention_mask);
  const encoded = encode(weights, 'text_model.encoder', config, tf.add(words, positions), mask, ctx);
  const last_hidden_state = layerNormLayer(
    weights,
    'text_model.final_layer_norm',
    encoded,
    config.layer_norm_eps,
  );
  return {
    last_hidden_state,
    pooler_output: linearLayer(weights, 'text_model.head', lastToken(last_hidden_state)),
  };
}

export const siglipText: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['siglip_text_model'],
  baseModelPrefix: 'siglip',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.projection_size ?? config.hidden_size,
  maxTokens: (config) => config.max_position_embeddings,
};

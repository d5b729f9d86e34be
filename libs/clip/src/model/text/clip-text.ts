/**
 * CLIP's text tower (Radford et al. 2021) as transformers' `CLIPTextModel`: causal attention; the text is
 * represented by its end token. B batch, T tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { clipInitializers, encoderKeys } from '../blocks/clip-encoder.js';
import * as field from '../config/schema.js';
import { layer, normal, type Layer } from '../layers/index.js';
import { causalMask, tokenAt } from '../ops/index.js';
import type { Forward, TextInputs, TowerDefinition } from '../tower.js';
import { encodeTokens, textTransformer } from './clip-transformer.js';
import { checkTokens } from './tokens.js';

/** Configs from before transformers 4.31 say 2 whatever the vocabulary; the end token is then the largest id. */
const LEGACY_EOS = 2;

const schema = field.configSchema({
  ...encoderKeys({ activation: 'quick_gelu', epsilon: 1e-5 }),
  vocab_size: field.size().default(49408),
  hidden_size: field.size().default(512),
  intermediate_size: field.size().default(2048),
  num_attention_heads: field.size().default(8),
  max_position_embeddings: field.size().default(77),
  initializer_range: field.noEffect(),
  initializer_factor: z.number().min(0).default(1),
  eos_token_id: field.tokenId().default(49407),
  // old configs carry it; the model never had it
  dropout: field.noEffect(),
  // the projection belongs to the two-tower model
  projection_dim: field.noEffect(),
});

type Config = z.output<typeof schema>;

const parseConfig = (json: unknown): Config => field.parseTransformerWith(schema, 'clip_text_model', json);

function clipTextTower(config: Config): Layer<Forward<TextInputs>> {
  const { initializer_factor: factor, max_position_embeddings: maxTokens } = config;
  const text_model = textTransformer(config, clipInitializers(config, factor), normal(0.02 * factor));
  return layer({ text_model }, ({ text_model }) => (inputs, ctx) => {
    checkTokens(inputs.input_ids, maxTokens);
    const mask = causalMask(inputs.input_ids.shape[1]!, maxTokens);
    const last_hidden_state = encodeTokens(text_model, inputs, ctx, mask); // [B, T, D]
    const end = endPositions(inputs.input_ids, config.eos_token_id);
    return { last_hidden_state, pooler_output: tokenAt(last_hidden_state, end, maxTokens) };
  });
}

/** [B] where each text ends: its first end token, by either convention. */
function endPositions(input_ids: tf.Tensor, eos: number): tf.Tensor {
  if (eos === LEGACY_EOS) return tf.argMax(input_ids, 1);
  return tf.argMax(tf.cast(tf.equal(input_ids, tf.scalar(eos, 'int32')), 'int32'), 1);
}

export const clipText: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['clip_text_model'],
  baseModelPrefix: 'clip',
  parseConfig,
  layer: clipTextTower,
  outputSize: (config) => config.hidden_size,
  maxTokens: (config) => config.max_position_embeddings,
};

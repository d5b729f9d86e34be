/**
 * SigLIP's text tower (Zhai et al. 2023) as transformers' `SiglipTextModel`: attention in both directions;
 * the last position, usually padding, represents the text. B batch, T tokens, D hidden_size, E projection_size.
 */
import type { z } from 'zod';
import { encoderKeys, siglipInitializers } from '../blocks/clip-encoder.js';
import * as field from '../config/schema.js';
import { layer, lecunNormal, linear, normal, type Layer } from '../layers/index.js';
import { lastToken } from '../ops/index.js';
import type { Forward, TextInputs, TowerDefinition } from '../tower.js';
import { encodeTokens, textTransformer } from './clip-transformer.js';
import { checkTokens } from './tokens.js';

const schema = field.configSchema({
  ...encoderKeys({ activation: 'gelu_pytorch_tanh', epsilon: 1e-6 }),
  vocab_size: field.size().default(32000),
  max_position_embeddings: field.size().default(64),
  // the initialisation follows from the sizes alone
  initializer_range: field.noEffect(),
  initializer_factor: field.noEffect(),
  projection_size: field.size().nullish(),
});

type Config = z.output<typeof schema>;

const parseConfig = (json: unknown): Config => field.parseTransformerWith(schema, 'siglip_text_model', json);

function siglipTextTower(config: Config): Layer<Forward<TextInputs>> {
  const { hidden_size: D } = config;
  const text_model = {
    ...textTransformer(config, siglipInitializers(config), normal(D ** -0.5)),
    head: linear(D, outputSize(config), lecunNormal(D)),
  };
  return layer({ text_model }, ({ text_model }) => (inputs, ctx) => {
    checkTokens(inputs.input_ids, config.max_position_embeddings);
    const last_hidden_state = encodeTokens(text_model, inputs, ctx); // [B, T, D]
    return { last_hidden_state, pooler_output: text_model.head(lastToken(last_hidden_state)) };
  });
}

function outputSize(config: Config): number {
  return config.projection_size ?? config.hidden_size;
}

export const siglipText: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['siglip_text_model'],
  baseModelPrefix: 'siglip',
  parseConfig,
  layer: siglipTextTower,
  outputSize,
  maxTokens: (config) => config.max_position_embeddings,
};

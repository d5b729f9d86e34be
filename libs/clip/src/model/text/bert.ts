/**
 * BERT (Devlin et al. 2018) as transformers' `BertModel`: post-norm blocks, a tanh pooler on the first token.
 * B batch, T tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { selfAttention } from '../blocks/self-attention.js';
import {
  activationName,
  configSchema,
  epsilon,
  noEffect,
  only,
  parseConfigWith,
  rate,
  requireConfig,
  size,
  tokenId,
} from '../config/schema.js';
import {
  activation,
  dropout,
  embedding,
  firstToken,
  paddingMask,
  wantedOf,
  wantedTokens,
  type Wanted,
} from '../ops/index.js';
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

export const bertSchema = configSchema({
  vocab_size: size().default(30522),
  hidden_size: size().default(768),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  intermediate_size: size().default(3072),
  hidden_act: activationName().default('gelu'),
  hidden_dropout_prob: rate().default(0.1),
  attention_probs_dropout_prob: rate().default(0.1),
  max_position_embeddings: size().default(512),
  type_vocab_size: size().default(2),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(1e-12),
  pad_token_id: tokenId().nullable().default(0),
  position_embedding_type: only('absolute'),
  classifier_dropout: noEffect(),
  // Google's first configs describe a pooler that transformers does not build from them
  directionality: noEffect(),
  pooler_fc_size: noEffect(),
  pooler_num_attention_heads: noEffect(),
  pooler_num_fc_layers: noEffect(),
  pooler_size_per_head: noEffect(),
  pooler_type: noEffect(),
});

export type BertConfig = z.output<typeof bertSchema>;

export function parseBert<Schema extends z.ZodType<BertConfig>>(
  schema: Schema,
  name: string,
  json: unknown,
): BertConfig {
  const config = parseConfigWith(schema, name, json);
  const { hidden_size, num_attention_heads, pad_token_id, vocab_size } = config;
  requireConfig(
    hidden_size % num_attention_heads === 0,
    name,
    'hidden_size divisible by num_attention_heads',
    {
      hidden_size,
      num_attention_heads,
    },
  );
  requireConfig((pad_token_id ?? 0) < vocab_size, name, 'pad_token_id below vocab_size', {
    pad_token_id,
    vocab_size,
  });
  return config;
}

/** @param positionPadding the row of the position table that starts at zero, if any */
export function bertSpecs(config: BertConfig, positionPadding?: number | null): TensorSpec[] {
  const D = config.hidden_size;
  const init = { kind: 'normal', std: config.initializer_range } as const;
  const padded = (row?: number | null) => (row == null ? init : { ...init, zeroRow: row });
  const specs = [
    paramSpec('embeddings.word_embeddings.weight', [config.vocab_size, D], padded(config.pad_token_id)),
    paramSpec(
      'embeddings.position_embeddings.weight',
      [config.max_position_embeddings, D],
      padded(positionPadding),
    ),
    paramSpec('embeddings.token_type_embeddings.weight', [config.type_vocab_size, D], init),
    ...layerNormSpecs('embeddings.LayerNorm', D),
  ];
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `encoder.layer.${i}`;
    specs.push(
      ...linearSpecs(`${layer}.attention.self.query`, D, D, init),
      ...linearSpecs(`${layer}.attention.self.key`, D, D, init),
      ...linearSpecs(`${layer}.attention.self.value`, D, D, init),
      ...linearSpecs(`${layer}.attention.output.dense`, D, D, init),
      ...layerNormSpecs(`${layer}.attention.output.LayerNorm`, D),
      ...linearSpecs(`${layer}.intermediate.dense`, config.intermediate_size, D, init),
      ...linearSpecs(`${layer}.output.dense`, D, config.intermediate_size, init),
      ...layerNormSpecs(`${layer}.output.LayerNorm`, D),
    );
  }
  return [...specs, ...linearSpecs('pooler.dense', D, D, init)];
}

/** One post-norm block, [B, T, D] → [B, T, D], or [B, 1, D] when only the first token is wanted. */
function block(
  weights: Weights,
  name: string,
  config: BertConfig,
  x: tf.Tensor,
  mask: tf.Tensor | undefined,
  ctx: ForwardContext,
  wanted: Wanted,
): tf.Tensor {
  const { hidden_dropout_prob, layer_norm_eps } = config;
  const rows = wantedTokens(x, wanted);
  const context = selfAttention(
    weights,
    {
      query: `${name}.attention.self.query`,
      key: `${name}.attention.self.key`,
      value: `${name}.attention.self.value`,
    },
    x,
    { numHeads: config.num_attention_heads, mask, dropoutRate: config.attention_probs_dropout_prob },
    ctx,
    wanted,
  );
  const attended = dropout(
    linearLayer(weights, `${name}.attention.output.dense`, context),
    hidden_dropout_prob,
    ctx,
  );
  const middle = layerNormLayer(
    weights,
    `${name}.attention.output.LayerNorm`,
    tf.add(attended, rows),
    layer_norm_eps,
  );
  const inner = activation(config.hidden_act)(linearLayer(weights, `${name}.intermediate.dense`, middle));
  const outer = dropout(linearLayer(weights, `${name}.output.dense`, inner), hidden_dropout_prob, ctx);
  return layerNormLayer(weights, `${name}.output.LayerNorm`, tf.add(outer, middle), layer_norm_eps);
}

interface Positions {
  /** int32 [B, T]; absent: 0, 1, 2, … */
  readonly positions?: tf.Tensor;
  /** The row of the position table that gets no gradient. */
  readonly paddingIndex?: number;
}

/** The encoder that BERT and RoBERTa share; they differ in their positions. */
export function bertForward(
  weights: Weights,
  config: BertConfig,
  { input_ids, attention_mask }: TextInputs,
  ctx: ForwardContext,
  { positions, paddingIndex }: Positions = {},
) {
  checkTokens(
    input_ids,
    config.max_position_embeddings - (paddingIndex === undefined ? 0 : paddingIndex + 1),
  );
  const T = input_ids.shape[1]!;
  const D = config.hidden_size;
  const words = embedding(
    param(weights, 'embeddings.word_embeddings.weight'),
    input_ids,
    config.pad_token_id ?? undefined,
  );
  const positionTable = param(weights, 'embeddings.position_embeddings.weight');
  const placed =
    positions === undefined
      ? tf.slice(positionTable, [0, 0], [T, D])
      : embedding(positionTable, positions, paddingIndex);
  const segment = tf.slice(param(weights, 'embeddings.token_type_embeddings.weight'), [0, 0], [1, D]);
  const summed = tf.add(tf.add(words, segment), placed); // [B, T, D]
  const normed = layerNormLayer(weights, 'embeddings.LayerNorm', summed, config.layer_norm_eps);
  let x = dropout(normed, config.hidden_dropout_prob, ctx);
  const mask = attention_mask === undefined ? undefined : paddingMask(attention_mask);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const wanted = wantedOf(i, config.num_hidden_layers, ctx);
    x = block(weights, `encoder.layer.${i}`, config, x, mask, ctx, wanted);
  }
  const pooler_output = tf.tanh(linearLayer(weights, 'pooler.dense', firstToken(x)));
  return { last_hidden_state: x, pooler_output };
}

export const bert: TowerDefinition<BertConfig, TextInputs> = {
  modelTypes: ['bert'],
  baseModelPrefix: 'bert',
  parseConfig: (json) => parseBert(bertSchema, 'bert', json),
  tensorSpecs: (config) => bertSpecs(config),
  forward: (weights, config, inputs, ctx) => bertForward(weights, config, inputs, ctx),
  outputSize: (config) => config.hidden_size,
  optional: /^pooler\./,
  maxTokens: (config) => config.max_position_embeddings,
};

/**
 * DistilBERT (Sanh et al. 2019) as transformers' `DistilBertModel`: BERT's blocks without segments and without a
 * pooler; a dual encoder takes the first token, or the mean with text_pooling. B batch, T tokens, D dim.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { selfAttention } from '../blocks/self-attention.js';
import {
  activationName,
  configSchema,
  noEffect,
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

/** DistilBERT's configs have no field for it. */
const EPSILON = 1e-12;

/** transformers' names for the same fields in other models, which it accepts. */
const ALIASES = {
  hidden_size: 'dim',
  num_attention_heads: 'n_heads',
  num_hidden_layers: 'n_layers',
} as const;

const schema = configSchema({
  vocab_size: size().default(30522),
  max_position_embeddings: size().default(512),
  sinusoidal_pos_embds: z.boolean().default(false),
  n_layers: size().default(6),
  n_heads: size().default(12),
  dim: size().default(768),
  hidden_dim: size().default(3072),
  dropout: rate().default(0.1),
  attention_dropout: rate().default(0.1),
  activation: activationName().default('gelu'),
  initializer_range: z.number().min(0).default(0.02),
  pad_token_id: tokenId().nullable().default(0),
  // task heads
  qa_dropout: noEffect(),
  seq_classif_dropout: noEffect(),
  tie_weights_: noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'distilbert', renameAliases(json));
  const { dim, n_heads } = config;
  requireConfig(dim % n_heads === 0, 'distilbert', 'dim divisible by n_heads', { dim, n_heads });
  return config;
}

function renameAliases(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      ALIASES[key as keyof typeof ALIASES] ?? key,
      value as unknown,
    ]),
  );
}

function tensorSpecs(config: Config): TensorSpec[] {
  const { dim: D, hidden_dim: F, pad_token_id } = config;
  const init = { kind: 'normal', std: config.initializer_range } as const;
  const positions = {
    name: 'embeddings.position_embeddings.weight',
    shape: [config.max_position_embeddings, D],
  };
  const specs: TensorSpec[] = [
    paramSpec(
      'embeddings.word_embeddings.weight',
      [config.vocab_size, D],
      pad_token_id === null ? init : { ...init, zeroRow: pad_token_id },
    ),
    config.sinusoidal_pos_embds
      ? {
          ...positions,
          init: { kind: 'values', values: sinusoids(config.max_position_embeddings, D) },
          trainable: false,
        }
      : { ...positions, init, trainable: true },
    ...layerNormSpecs('embeddings.LayerNorm', D),
  ];
  for (let i = 0; i < config.n_layers; i++) {
    const layer = `transformer.layer.${i}`;
    specs.push(
      ...['q_lin', 'k_lin', 'v_lin', 'out_lin'].flatMap((name) =>
        linearSpecs(`${layer}.attention.${name}`, D, D, init),
      ),
      ...layerNormSpecs(`${layer}.sa_layer_norm`, D),
      ...linearSpecs(`${layer}.ffn.lin1`, F, D, init),
      ...linearSpecs(`${layer}.ffn.lin2`, D, F, init),
      ...layerNormSpecs(`${layer}.output_layer_norm`, D),
    );
  }
  return specs;
}

/** Fixed positions (Vaswani et al. 2017): [positions, D]. */
function sinusoids(positions: number, D: number): Float32Array {
  const table = new Float32Array(positions * D);
  for (let p = 0; p < positions; p++) {
    for (let j = 0; j < D; j++) {
      const angle = p / 10000 ** ((2 * Math.floor(j / 2)) / D);
      table[p * D + j] = j % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

/** One post-norm block, [B, T, D] → [B, T, D], or [B, 1, D] when only the first token is wanted. */
function block(
  weights: Weights,
  name: string,
  config: Config,
  x: tf.Tensor,
  mask: tf.Tensor | undefined,
  ctx: ForwardContext,
  wanted: Wanted,
): tf.Tensor {
  const rows = wantedTokens(x, wanted);
  const context = selfAttention(
    weights,
    {
      query: `${name}.attention.q_lin`,
      key: `${name}.attention.k_lin`,
      value: `${name}.attention.v_lin`,
    },
    x,
    { numHeads: config.n_heads, mask, dropoutRate: config.attention_dropout },
    ctx,
    wanted,
  );
  const attended = tf.add(linearLayer(weights, `${name}.attention.out_lin`, context), rows);
  const middle = layerNormLayer(weights, `${name}.sa_layer_norm`, attended, EPSILON);
  const inner = activation(config.activation)(linearLayer(weights, `${name}.ffn.lin1`, middle));
  const outer = dropout(linearLayer(weights, `${name}.ffn.lin2`, inner), config.dropout, ctx);
  return layerNormLayer(weights, `${name}.output_layer_norm`, tf.add(outer, middle), EPSILON);
}

function forward(
  weights: Weights,
  config: Config,
  { input_ids, attention_mask }: TextInputs,
  ctx: ForwardContext,
) {
  checkTokens(input_ids, config.max_position_embeddings);
  const words = embedding(
    param(weights, 'embeddings.word_embeddings.weight'),
    input_ids,
    config.pad_token_id ?? undefined,
  );
  const table = param(weights, 'embeddings.position_embeddings.weight');
  const placed = tf.add(words, tf.slice(table, [0, 0], [input_ids.shape[1]!, config.dim]));
  let x = dropout(layerNormLayer(weights, 'embeddings.LayerNorm', placed, EPSILON), config.dropout, ctx);
  const mask = attention_mask === undefined ? undefined : paddingMask(attention_mask);
  for (let i = 0; i < config.n_layers; i++) {
    const wanted = wantedOf(i, config.n_layers, ctx);
    x = block(weights, `transformer.layer.${i}`, config, x, mask, ctx, wanted);
  }
  return { last_hidden_state: x };
}

export const distilbert: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['distilbert'],
  baseModelPrefix: 'distilbert',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.dim,
  maxTokens: (config) => config.max_position_embeddings,
};

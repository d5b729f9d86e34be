/**
 * DistilBERT (Sanh et al. 2019) as transformers' `DistilBertModel`: BERT's blocks without segments and without a
 * pooler; a dual encoder takes the first token, or the mean with text_pooling.
 * B batch, T tokens, V vocab_size, D dim, F hidden_dim.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { blockStack } from '../blocks/gradient-checkpointing.js';
import { postNormBlock, runBlocks, type Block } from '../blocks/transformer.js';
import * as field from '../config/schema.js';
import {
  embeddingTable,
  layer,
  layerNorm,
  linear,
  normal,
  untrained,
  values,
  type Layer,
} from '../layers/index.js';
import { activation, dropout, paddingMask } from '../ops/index.js';
import type { Forward, TextInputs, TowerDefinition } from '../tower.js';
import { checkTokens } from './tokens.js';

/** DistilBERT's configs have no field for it. */
const EPSILON = 1e-12;

/** transformers' names for the same fields in other models, which it accepts. */
const ALIASES = {
  hidden_size: 'dim',
  num_attention_heads: 'n_heads',
  num_hidden_layers: 'n_layers',
} as const;

const schema = field.configSchema({
  vocab_size: field.size().default(30522),
  max_position_embeddings: field.size().default(512),
  sinusoidal_pos_embds: z.boolean().default(false),
  n_layers: field.size().default(6),
  n_heads: field.size().default(12),
  dim: field.size().default(768),
  hidden_dim: field.size().default(3072),
  dropout: field.rate().default(0.1),
  attention_dropout: field.rate().default(0.1),
  activation: field.activationName().default('gelu'),
  initializer_range: z.number().min(0).default(0.02),
  pad_token_id: field.tokenId().nullable().default(0),
  // task heads
  qa_dropout: field.noEffect(),
  seq_classif_dropout: field.noEffect(),
  tie_weights_: field.noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = field.parseConfigWith(schema, 'distilbert', renameAliases(json));
  field.requireHeads('distilbert', config, 'dim', 'n_heads');
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

function distilbertLayer(config: Config): Layer<Block> {
  const { dim: D, hidden_dim: F } = config;
  const init = normal(config.initializer_range);
  return layer(
    {
      attention: {
        q_lin: linear(D, D, init),
        k_lin: linear(D, D, init),
        v_lin: linear(D, D, init),
        out_lin: linear(D, D, init),
      },
      sa_layer_norm: layerNorm(D, EPSILON),
      ffn: { lin1: linear(D, F, init), lin2: linear(F, D, init) },
      output_layer_norm: layerNorm(D, EPSILON),
    },
    ({ attention, sa_layer_norm, ffn, output_layer_norm }) =>
      postNormBlock({
        projections: { query: attention.q_lin, key: attention.k_lin, value: attention.v_lin },
        numHeads: config.n_heads,
        dropoutRate: config.attention_dropout,
        attended: attention.out_lin,
        attentionNorm: sa_layer_norm,
        feedForward: (x, ctx) =>
          dropout(ffn.lin2(activation(config.activation)(ffn.lin1(x))), config.dropout, ctx),
        feedForwardNorm: output_layer_norm,
      }),
  );
}

function distilbertTower(config: Config): Layer<Forward<TextInputs>> {
  const { vocab_size: V, dim: D, max_position_embeddings: maxTokens, pad_token_id } = config;
  const init = normal(config.initializer_range);
  return layer(
    {
      embeddings: {
        word_embeddings: embeddingTable(V, D, init, pad_token_id ?? undefined),
        position_embeddings: config.sinusoidal_pos_embds
          ? untrained(embeddingTable(maxTokens, D, values(sinusoids(maxTokens, D))))
          : embeddingTable(maxTokens, D, init),
        LayerNorm: layerNorm(D, EPSILON),
      },
      transformer: { layer: blockStack(config.n_layers, () => distilbertLayer(config)) },
    },
    ({ embeddings, transformer }) =>
      ({ input_ids, attention_mask }, ctx) => {
        checkTokens(input_ids, maxTokens);
        const positions = embeddings.position_embeddings.first(input_ids.shape[1]!); // [T, D]
        const summed = tf.add(embeddings.word_embeddings(input_ids), positions); // [B, T, D]
        const x = dropout(embeddings.LayerNorm(summed), config.dropout, ctx);
        const mask = attention_mask === undefined ? undefined : paddingMask(attention_mask);
        return { last_hidden_state: runBlocks(transformer.layer, x, ctx, mask) };
      },
  );
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

export const distilbert: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['distilbert'],
  baseModelPrefix: 'distilbert',
  parseConfig,
  layer: distilbertTower,
  outputSize: (config) => config.dim,
  maxTokens: (config) => config.max_position_embeddings,
};

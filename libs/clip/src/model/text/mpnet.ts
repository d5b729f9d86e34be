/**
 * MPNet (Song et al. 2020) as transformers' `MPNetModel`: BERT's blocks with one relative position bias for all
 * layers, bucketed as in T5. B batch, T tokens, V vocab_size, D hidden_size, F intermediate_size, H heads.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import { blockStack } from '../blocks/gradient-checkpointing.js';
import { firstTokenPooler } from '../blocks/pooler.js';
import { postNormBlock, runBlocks, type Block } from '../blocks/transformer.js';
import * as field from '../config/schema.js';
import { embeddingTable, layer, layerNorm, linear, normal, type Layer } from '../layers/index.js';
import { activation, dropout, paddingMask, positionIds } from '../ops/index.js';
import type { Forward, TextInputs, TowerDefinition } from '../tower.js';
import { checkTokens, positionsFromPadding } from './tokens.js';

/** transformers fixes these, whatever pad_token_id and relative_attention_num_buckets say. */
const PADDING = 1;
const BUCKETS = 32;
const MAX_DISTANCE = 128;

const schema = field.configSchema({
  ...field.transformerKeys({ dropout: 0.1, epsilon: 1e-12 }),
  vocab_size: field.size().min(2).default(30527),
  intermediate_size: field.size().default(3072),
  max_position_embeddings: field.size().default(512),
  relative_attention_num_buckets: field.size().min(BUCKETS).default(BUCKETS),
});

type Config = z.output<typeof schema>;

const parseConfig = (json: unknown): Config => field.parseTransformerWith(schema, 'mpnet', json);

function mpnetLayer(config: Config): Layer<Block> {
  const { hidden_size: D, intermediate_size: F, layer_norm_eps: eps, hidden_dropout_prob: rate } = config;
  const init = normal(config.initializer_range);
  return layer(
    {
      attention: {
        attn: { q: linear(D, D, init), k: linear(D, D, init), v: linear(D, D, init), o: linear(D, D, init) },
        LayerNorm: layerNorm(D, eps),
      },
      intermediate: { dense: linear(D, F, init) },
      output: { dense: linear(F, D, init), LayerNorm: layerNorm(D, eps) },
    },
    ({ attention: { attn, LayerNorm }, intermediate, output }) =>
      postNormBlock({
        projections: { query: attn.q, key: attn.k, value: attn.v },
        numHeads: config.num_attention_heads,
        dropoutRate: config.attention_probs_dropout_prob,
        attended: (context, ctx) => dropout(attn.o(context), rate, ctx),
        attentionNorm: LayerNorm,
        feedForward: (x, ctx) =>
          dropout(output.dense(activation(config.hidden_act)(intermediate.dense(x))), rate, ctx),
        feedForwardNorm: output.LayerNorm,
      }),
  );
}

function mpnetTower(config: Config): Layer<Forward<TextInputs>> {
  const { vocab_size: V, hidden_size: D, num_attention_heads: H, max_position_embeddings } = config;
  const init = normal(config.initializer_range);
  return layer(
    {
      embeddings: {
        word_embeddings: embeddingTable(V, D, init, PADDING),
        position_embeddings: embeddingTable(max_position_embeddings, D, init, PADDING),
        LayerNorm: layerNorm(D, config.layer_norm_eps),
      },
      encoder: {
        layer: blockStack(config.num_hidden_layers, () => mpnetLayer(config)),
        relative_attention_bias: embeddingTable(config.relative_attention_num_buckets, H, init),
      },
      pooler: firstTokenPooler(D, D, init, tf.tanh),
    },
    ({ embeddings, encoder, pooler }) =>
      ({ input_ids, attention_mask }, ctx) => {
        checkTokens(input_ids, maxTokens(config));
        const words = embeddings.word_embeddings(input_ids); // [B, T, D]
        const positions = embeddings.position_embeddings(positionsFromPadding(input_ids, PADDING));
        const normed = embeddings.LayerNorm(tf.add(words, positions));
        const x = dropout(normed, config.hidden_dropout_prob, ctx);
        const buckets = relativeBuckets(input_ids.shape[1]!, maxTokens(config)); // [T, T]
        const bias = tf.expandDims(tf.transpose(encoder.relative_attention_bias(buckets), [2, 0, 1]), 0);
        const mask = attention_mask === undefined ? bias : tf.add(bias, paddingMask(attention_mask));
        const last_hidden_state = runBlocks(encoder.layer, x, ctx, mask);
        return { last_hidden_state, pooler_output: pooler(last_hidden_state) };
      },
  );
}

/** The bucket of each pair of query and key: int32 [T, T], T at most M. */
function relativeBuckets(T: number, M: number): tf.Tensor {
  const positions = positionIds(T, M);
  const offsets = tf.sub(tf.reshape(positions, [1, T]), tf.reshape(positions, [T, 1]));
  return tf.gather(tf.tensor1d(bucketsOfOffsets(M), 'int32'), tf.add(offsets, tf.scalar(M - 1, 'int32')));
}

/** The bucket of each offset key - query from -(M - 1) to M - 1: exact near by, then logarithmic, by direction. */
function bucketsOfOffsets(M: number): Int32Array {
  const half = BUCKETS / 2;
  const exact = half / 2;
  return Int32Array.from({ length: 2 * M - 1 }, (_, i) => {
    const offset = i - (M - 1);
    const distance = Math.abs(offset);
    // In single precision, as torch computes it: the boundaries fall on integers.
    const log = Math.fround(Math.log(distance / exact));
    const fraction = Math.fround(log / Math.fround(Math.log(MAX_DISTANCE / exact)));
    const far = Math.min(exact + Math.trunc(Math.fround(fraction * (half - exact))), half - 1);
    return (offset > 0 ? half : 0) + (distance < exact ? distance : far);
  });
}

function maxTokens(config: Config): number {
  return config.max_position_embeddings - PADDING - 1;
}

export const mpnet: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['mpnet'],
  baseModelPrefix: 'mpnet',
  parseConfig,
  layer: mpnetTower,
  outputSize: (config) => config.hidden_size,
  maxTokens,
};

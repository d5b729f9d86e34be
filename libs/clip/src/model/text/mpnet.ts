/**
 * MPNet (Song et al. 2020) as transformers' `MPNetModel`: BERT's blocks with one relative position bias for all
 * layers, bucketed as in T5. B batch, T tokens, D hidden_size, H heads.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { selfAttention } from '../blocks/self-attention.js';
import {
  activationName,
  configSchema,
  epsilon,
  parseConfigWith,
  rate,
  requireConfig,
  size,
} from '../config/schema.js';
import {
  activation,
  dropout,
  embedding,
  firstToken,
  paddingMask,
  positionsBelow,
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
import { positionsFromPadding } from './roberta.js';
import { checkTokens } from './tokens.js';

/** transformers fixes these, whatever pad_token_id and relative_attention_num_buckets say. */
const PADDING = 1;
const BUCKETS = 32;
const MAX_DISTANCE = 128;

const schema = configSchema({
  vocab_size: size().min(2).default(30527),
  hidden_size: size().default(768),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  intermediate_size: size().default(3072),
  hidden_act: activationName().default('gelu'),
  hidden_dropout_prob: rate().default(0.1),
  attention_probs_dropout_prob: rate().default(0.1),
  max_position_embeddings: size().default(512),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(1e-12),
  relative_attention_num_buckets: size().min(BUCKETS).default(BUCKETS),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'mpnet', json);
  const { hidden_size, num_attention_heads } = config;
  requireConfig(
    hidden_size % num_attention_heads === 0,
    'mpnet',
    'hidden_size divisible by num_attention_heads',
    {
      hidden_size,
      num_attention_heads,
    },
  );
  return config;
}

function tensorSpecs(config: Config): TensorSpec[] {
  const { hidden_size: D, intermediate_size: F } = config;
  const init = { kind: 'normal', std: config.initializer_range } as const;
  const padded = { ...init, zeroRow: PADDING } as const;
  const specs = [
    paramSpec('embeddings.word_embeddings.weight', [config.vocab_size, D], padded),
    paramSpec('embeddings.position_embeddings.weight', [config.max_position_embeddings, D], padded),
    ...layerNormSpecs('embeddings.LayerNorm', D),
  ];
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `encoder.layer.${i}`;
    specs.push(
      ...['q', 'k', 'v', 'o'].flatMap((name) => linearSpecs(`${layer}.attention.attn.${name}`, D, D, init)),
      ...layerNormSpecs(`${layer}.attention.LayerNorm`, D),
      ...linearSpecs(`${layer}.intermediate.dense`, F, D, init),
      ...linearSpecs(`${layer}.output.dense`, D, F, init),
      ...layerNormSpecs(`${layer}.output.LayerNorm`, D),
    );
  }
  const buckets = [config.relative_attention_num_buckets, config.num_attention_heads];
  return [
    ...specs,
    paramSpec('encoder.relative_attention_bias.weight', buckets, init),
    ...linearSpecs('pooler.dense', D, D, init),
  ];
}

/** The bucket of each offset key - query from -(M - 1) to M - 1: exact near by, then logarithmic, by direction. */
function relativeBuckets(M: number): Int32Array {
  const half = BUCKETS / 2;
  const exact = half / 2;
  return Int32Array.from({ length: 2 * M - 1 }, (_, i) => {
    const offset = i - (M - 1);
    const distance = Math.abs(offset);
    // In single precision, as torch computes it: the boundaries fall on whole numbers.
    const log = Math.fround(Math.log(distance / exact));
    const share = Math.fround(log / Math.fround(Math.log(MAX_DISTANCE / exact)));
    const far = Math.min(exact + Math.trunc(Math.fround(share * (half - exact))), half - 1);
    return (offset > 0 ? half : 0) + (distance < exact ? distance : far);
  });
}

/** [1, H, T, T] */
function positionBias(table: tf.Tensor, T: number, max: number): tf.Tensor {
  const places = positionsBelow(T, max);
  const offsets = tf.sub(tf.reshape(places, [1, T]), tf.reshape(places, [T, 1])); // [T, T]
  const buckets = tf.gather(
    tf.tensor1d(relativeBuckets(max), 'int32'),
    tf.add(offsets, tf.scalar(max - 1, 'int32')),
  );
  return tf.expandDims(tf.transpose(tf.gather(table, buckets), [2, 0, 1]), 0);
}

/** One post-norm block, [B, T, D] → [B, T, D], or [B, 1, D] when only the first token is wanted. */
function block(
  weights: Weights,
  name: string,
  config: Config,
  x: tf.Tensor,
  mask: tf.Tensor,
  ctx: ForwardContext,
  wanted: Wanted,
): tf.Tensor {
  const { hidden_dropout_prob, layer_norm_eps } = config;
  const rows = wantedTokens(x, wanted);
  const context = selfAttention(
    weights,
    {
      query: `${name}.attention.attn.q`,
      key: `${name}.attention.attn.k`,
      value: `${name}.attention.attn.v`,
    },
    x,
    { numHeads: config.num_attention_heads, mask, dropoutRate: config.attention_probs_dropout_prob },
    ctx,
    wanted,
  );
  const attended = dropout(
    linearLayer(weights, `${name}.attention.attn.o`, context),
    hidden_dropout_prob,
    ctx,
  );
  const middle = layerNormLayer(
    weights,
    `${name}.attention.LayerNorm`,
    tf.add(attended, rows),
    layer_norm_eps,
  );
  const inner = activation(config.hidden_act)(linearLayer(weights, `${name}.intermediate.dense`, middle));
  const outer = dropout(linearLayer(weights, `${name}.output.dense`, inner), hidden_dropout_prob, ctx);
  return layerNormLayer(weights, `${name}.output.LayerNorm`, tf.add(outer, middle), layer_norm_eps);
}

function forward(
  weights: Weights,
  config: Config,
  { input_ids, attention_mask }: TextInputs,
  ctx: ForwardContext,
) {
  checkTokens(input_ids, maxTokens(config));
  const T = input_ids.shape[1]!;
  const table = param(weights, 'encoder.relative_attention_bias.weight');
  const words = embedding(param(weights, 'embeddings.word_embeddings.weight'), input_ids, PADDING);
  const positions = positionsFromPadding(input_ids, PADDING);
  const placed = embedding(param(weights, 'embeddings.position_embeddings.weight'), positions, PADDING);
  const normed = layerNormLayer(
    weights,
    'embeddings.LayerNorm',
    tf.add(words, placed),
    config.layer_norm_eps,
  );
  let x = dropout(normed, config.hidden_dropout_prob, ctx);
  const bias = positionBias(table, T, maxTokens(config));
  const mask = attention_mask === undefined ? bias : tf.add(bias, paddingMask(attention_mask));
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const wanted = wantedOf(i, config.num_hidden_layers, ctx);
    x = block(weights, `encoder.layer.${i}`, config, x, mask, ctx, wanted);
  }
  return {
    last_hidden_state: x,
    pooler_output: tf.tanh(linearLayer(weights, 'pooler.dense', firstToken(x))),
  };
}

function maxTokens(config: Config): number {
  return config.max_position_embeddings - PADDING - 1;
}

export const mpnet: TowerDefinition<Config, TextInputs> = {
  modelTypes: ['mpnet'],
  baseModelPrefix: 'mpnet',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.hidden_size,
  optional: /^pooler\./,
  maxTokens,
};

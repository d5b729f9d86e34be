/**
 * Swin (Liu et al. 2021) as transformers' `SwinModel`: attention within shifted windows with a relative position
 * bias; patches merge two by two between stages. The pooled output is the mean of the tokens.
 * B batch, h × w grid of tokens, M window side, C channels of a stage.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import {
  activationName,
  BACKBONE_KEYS,
  configSchema,
  epsilon,
  noEffect,
  only,
  parseConfigWith,
  rate,
  requireConfig,
  size,
} from '../config/schema.js';
import { activation, dropout, dropPath, dropPathRates, permuteTokens } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TowerDefinition, VisionInputs, Weights } from '../types.js';
import {
  layerNormLayer,
  layerNormSpecs,
  linearLayer,
  linearSpecs,
  param,
  paramSpec,
} from '../weights/params.js';
import { checkPixels, embedPatches, pair } from './patches.js';
import { padGrid, windowAttention, type Grid } from './window-attention.js';
import { mergeOrder, relativePositionIndex } from './windows.js';

/** Layer norms of the embeddings and of patch merging keep torch's default. */
const DEFAULT_EPSILON = 1e-5;

const schema = configSchema({
  ...BACKBONE_KEYS,
  image_size: z.union([size(), z.tuple([size(), size()])]).default(224),
  patch_size: z.union([size(), z.tuple([size(), size()])]).default(4),
  num_channels: size().default(3),
  embed_dim: size().default(96),
  depths: z.array(size()).min(1).default([2, 2, 6, 2]),
  num_heads: z.array(size()).min(1).default([3, 6, 12, 24]),
  window_size: size().default(7),
  mlp_ratio: z.number().positive().default(4),
  qkv_bias: z.boolean().default(true),
  hidden_dropout_prob: rate().default(0),
  attention_probs_dropout_prob: rate().default(0),
  drop_path_rate: rate().default(0.1),
  hidden_act: activationName().default('gelu'),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(1e-5),
  // transformers' own table has one row too many to be added to the patches
  use_absolute_embeddings: only(false),
  // in the first published configs; the model never read it
  path_norm: noEffect(),
  // derived
  hidden_size: z.unknown().optional(),
  num_layers: z.unknown().optional(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'swin', json);
  const { depths, num_heads, embed_dim } = config;
  requireConfig(depths.length === num_heads.length, 'swin', 'as many num_heads as depths', {
    depths,
    num_heads,
  });
  num_heads.forEach((heads, i) =>
    requireConfig(
      (embed_dim * 2 ** i) % heads === 0,
      'swin',
      `the width of stage ${i} divisible by its heads`,
      {
        embed_dim,
        num_heads,
      },
    ),
  );
  requireConfig(
    [undefined, depths.length].includes(config.num_layers as number),
    'swin',
    'num_layers as depths has',
    {
      num_layers: config.num_layers,
      depths,
    },
  );
  requireConfig(
    [undefined, outputSize(config)].includes(config.hidden_size as number),
    'swin',
    `hidden_size ${outputSize(config)}`,
    {
      hidden_size: config.hidden_size,
    },
  );
  return config;
}

function outputSize(config: Config): number {
  return config.embed_dim * 2 ** (config.depths.length - 1);
}

function tensorSpecs(config: Config): TensorSpec[] {
  const init = { kind: 'normal', std: config.initializer_range } as const;
  const [ph, pw] = pair(config.patch_size);
  const M = config.window_size;
  const specs = [
    paramSpec(
      'embeddings.patch_embeddings.projection.weight',
      [config.embed_dim, config.num_channels, ph, pw],
      init,
    ),
    paramSpec('embeddings.patch_embeddings.projection.bias', [config.embed_dim], { kind: 'zeros' }),
    ...layerNormSpecs('embeddings.norm', config.embed_dim),
  ];
  config.depths.forEach((depth, stage) => {
    const C = config.embed_dim * 2 ** stage;
    const F = Math.trunc(config.mlp_ratio * C);
    for (let i = 0; i < depth; i++) {
      const name = `encoder.layers.${stage}.blocks.${i}`;
      const self = `${name}.attention.self`;
      specs.push(
        ...layerNormSpecs(`${name}.layernorm_before`, C),
        paramSpec(`${self}.relative_position_bias_table`, [(2 * M - 1) ** 2, config.num_heads[stage]!], {
          kind: 'zeros',
        }),
        {
          name: `${self}.relative_position_index`,
          shape: [M * M, M * M],
          init: { kind: 'values', values: relativePositionIndex(M) },
          trainable: false,
          dtype: 'int64',
        },
        ...linearSpecs(`${self}.query`, C, C, init, config.qkv_bias),
        ...linearSpecs(`${self}.key`, C, C, init, config.qkv_bias),
        ...linearSpecs(`${self}.value`, C, C, init, config.qkv_bias),
        ...linearSpecs(`${name}.attention.output.dense`, C, C, init),
        ...layerNormSpecs(`${name}.layernorm_after`, C),
        ...linearSpecs(`${name}.intermediate.dense`, F, C, init),
        ...linearSpecs(`${name}.output.dense`, C, F, init),
      );
    }
    if (stage < config.depths.length - 1) {
      specs.push(
        ...layerNormSpecs(`encoder.layers.${stage}.downsample.norm`, 4 * C),
        ...linearSpecs(`encoder.layers.${stage}.downsample.reduction`, 2 * C, 4 * C, init, false),
      );
    }
  });
  return [...specs, ...layerNormSpecs('layernorm', outputSize(config))];
}

/** Four neighbours become one token of twice the width: [B, h·w, C] → [B, ⌈h/2⌉·⌈w/2⌉, 2C]. */
function mergePatches(weights: Weights, name: string, x: tf.Tensor, { h, w }: Grid): tf.Tensor {
  const [B, , C] = x.shape as [number, number, number];
  const even = { h: h + (h % 2), w: w + (w % 2) };
  const gathered = permuteTokens(padGrid(x, { h, w }, even), mergeOrder(even.h, even.w));
  const joined = tf.reshape(gathered, [B, (even.h * even.w) / 4, 4 * C]);
  return linearLayer(
    weights,
    `${name}.reduction`,
    layerNormLayer(weights, `${name}.norm`, joined, DEFAULT_EPSILON),
  );
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels);
  const [B, , H, W] = pixel_values.shape as [number, number, number, number];
  const [ph, pw] = pair(config.patch_size);
  const [bottom, right] = [(ph - (H % ph)) % ph, (pw - (W % pw)) % pw];
  const pixels =
    bottom + right === 0
      ? pixel_values
      : tf.pad(pixel_values, [
          [0, 0],
          [0, 0],
          [0, bottom],
          [0, right],
        ]);
  const projection = 'embeddings.patch_embeddings.projection';
  const patches = embedPatches(
    pixels,
    param(weights, `${projection}.weight`),
    param(weights, `${projection}.bias`),
  );
  let [, h, w] = patches.shape as [number, number, number, number];
  const embedded = layerNormLayer(
    weights,
    'embeddings.norm',
    tf.reshape(patches, [B, h * w, config.embed_dim]),
    DEFAULT_EPSILON,
  );
  let x = dropout(embedded, config.hidden_dropout_prob, ctx);
  const total = config.depths.reduce((sum, depth) => sum + depth, 0);
  const rates = dropPathRates(config.drop_path_rate, total);
  config.depths.forEach((depth, stage) => {
    checkGrid(config, h, w, stage);
    const name = `encoder.layers.${stage}`;
    for (let i = 0; i < depth; i++) {
      // Odd blocks shift by half a window, unless one window covers the grid's shorter side.
      const shift =
        i % 2 === 1 && Math.min(h, w) > config.window_size ? Math.floor(config.window_size / 2) : 0;
      const block = `${name}.blocks.${i}`;
      const normed = layerNormLayer(weights, `${block}.layernorm_before`, x, config.layer_norm_eps);
      const attended = windowAttention(
        weights,
        `${block}.attention`,
        normed,
        { h, w },
        {
          windowSize: config.window_size,
          shift,
          numHeads: config.num_heads[stage]!,
          dropoutRate: config.attention_probs_dropout_prob,
        },
        ctx,
      );
      const middle = tf.add(x, dropPath(attended, rates.shift()!, ctx));
      const inner = layerNormLayer(weights, `${block}.layernorm_after`, middle, config.layer_norm_eps);
      const act = activation(config.hidden_act)(linearLayer(weights, `${block}.intermediate.dense`, inner));
      const outer = linearLayer(weights, `${block}.output.dense`, act);
      x = tf.add(middle, dropout(outer, config.hidden_dropout_prob, ctx));
    }
    if (stage < config.depths.length - 1) {
      x = mergePatches(weights, `${name}.downsample`, x, { h, w });
      [h, w] = [Math.ceil(h / 2), Math.ceil(w / 2)];
    }
  });
  const last_hidden_state = layerNormLayer(weights, 'layernorm', x, config.layer_norm_eps);
  return { last_hidden_state, pooler_output: tf.mean(last_hidden_state, 1) };
}

/** The bias table is of the window's size, so a grid smaller than the window cannot use it. */
function checkGrid(config: Config, h: number, w: number, stage: number): void {
  requireConfig(
    Math.min(h, w) >= config.window_size,
    'swin',
    `an image whose grid is at least window_size (${config.window_size}) at every stage`,
    `${h} x ${w} tokens at stage ${stage}`,
  );
}

export const swin: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['swin'],
  baseModelPrefix: 'swin',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize,
  droppable: /^embeddings\.mask_token$/,
  imageSize: (config) => pair(config.image_size),
};

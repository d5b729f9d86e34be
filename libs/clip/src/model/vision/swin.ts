/**
 * Swin (Liu et al. 2021) as transformers' `SwinModel`: attention within shifted windows with a relative position
 * bias; patches merge two by two between stages. The pooled output is the mean of the tokens.
 * B batch, h × w grid of tokens, M window side, C channels of a stage, F width of the feed-forward.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { checkpointed } from '../blocks/gradient-checkpointing.js';
import * as field from '../config/schema.js';
import type { ForwardContext } from '../context.js';
import { layer, layerNorm, linear, normal, type Layer } from '../layers/index.js';
import { activation, dropout, dropPath, dropPathRates } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import { checkPixels, padToPatches, patchEmbedding, patchGrid } from './patches.js';
import { patchMerging } from './patch-merging.js';
import { windowAttention, type Grid } from './window-attention.js';

/** Layer norms of the embeddings and of patch merging keep torch's default. */
const DEFAULT_EPSILON = 1e-5;

const schema = field.configSchema({
  ...field.BACKBONE_KEYS,
  image_size: field.sides(224),
  patch_size: field.sides(4),
  num_channels: field.size().default(3),
  embed_dim: field.size().default(96),
  depths: z.array(field.size()).min(1).default([2, 2, 6, 2]),
  num_heads: z.array(field.size()).min(1).default([3, 6, 12, 24]),
  window_size: field.size().default(7),
  mlp_ratio: z.number().positive().default(4),
  qkv_bias: z.boolean().default(true),
  hidden_dropout_prob: field.rate().default(0),
  attention_probs_dropout_prob: field.rate().default(0),
  drop_path_rate: field.rate().default(0.1),
  hidden_act: field.activationName().default('gelu'),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: field.epsilon().default(1e-5),
  // transformers' own table has one row too many to be added to the patches
  use_absolute_embeddings: field.only(false),
  // in the first published configs; the model never read it
  path_norm: field.noEffect(),
  // derived
  hidden_size: z.unknown().optional(),
  num_layers: z.unknown().optional(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = field.parseConfigWith(schema, 'swin', json);
  const { depths, num_heads, embed_dim, num_layers, hidden_size } = config;
  const require = (holds: boolean, expected: string, found: unknown) =>
    field.requireConfig(holds, 'swin', expected, found);
  require(depths.length === num_heads.length, 'as many num_heads as depths', { depths, num_heads });
  num_heads.forEach((heads, stage) =>
    require(widthOf(config, stage) % heads === 0, `the width of stage ${stage} divisible by its heads`, {
      embed_dim,
      num_heads,
    }),
  );
  const derived = (value: unknown, from: number) => value === undefined || value === from;
  require(derived(num_layers, depths.length), 'num_layers as depths has', { num_layers, depths });
  require(derived(hidden_size, outputSize(config)), `hidden_size ${outputSize(config)}`, { hidden_size });
  return config;
}

/** C */
function widthOf(config: Config, stage: number): number {
  return config.embed_dim * 2 ** stage;
}

function outputSize(config: Config): number {
  return widthOf(config, config.depths.length - 1);
}

/** x [B, h·w, C] → [B, h·w, C] */
type SwinBlock = (x: tf.Tensor, ctx: ForwardContext, grid: Grid) => tf.Tensor;

function swinBlock(config: Config, stage: number, index: number, dropRate: number): Layer<SwinBlock> {
  const { window_size: M, layer_norm_eps: eps, hidden_dropout_prob, hidden_act } = config;
  const C = widthOf(config, stage);
  const F = Math.trunc(config.mlp_ratio * C);
  const init = normal(config.initializer_range);
  const options = {
    windowSize: M,
    numHeads: config.num_heads[stage]!,
    qkvBias: config.qkv_bias,
    dropoutRate: config.attention_probs_dropout_prob,
  };
  return layer(
    {
      layernorm_before: layerNorm(C, eps),
      attention: windowAttention(C, options, init),
      layernorm_after: layerNorm(C, eps),
      intermediate: { dense: linear(C, F, init) },
      output: { dense: linear(F, C, init) },
    },
    ({ layernorm_before, attention, layernorm_after, intermediate, output }) =>
      (x, ctx, grid) => {
        // Odd blocks shift by half a window, unless one window covers the grid's shorter side.
        const shift = index % 2 === 1 && Math.min(grid.h, grid.w) > M ? Math.floor(M / 2) : 0;
        const attended = attention(layernorm_before(x), grid, shift, ctx);
        const middle = tf.add(x, dropPath(attended, dropRate, ctx));
        const inner = activation(hidden_act)(intermediate.dense(layernorm_after(middle))); // [B, h·w, F]
        return tf.add(middle, dropout(output.dense(inner), hidden_dropout_prob, ctx));
      },
  );
}

function swinTower(config: Config): Layer<Forward<VisionInputs>> {
  const { num_channels, patch_size, embed_dim, depths } = config;
  const init = normal(config.initializer_range);
  const rates = dropPathRates(config.drop_path_rate, depths);
  const stages = rates.map((ofBlocks, stage) => ({
    blocks: ofBlocks.map((rate, i) => checkpointed(swinBlock(config, stage, i, rate))),
    downsample:
      stage < depths.length - 1 ? patchMerging(widthOf(config, stage), DEFAULT_EPSILON, init) : undefined,
  }));
  return layer(
    {
      embeddings: {
        patch_embeddings: { projection: patchEmbedding(num_channels, embed_dim, patch_size, init) },
        norm: layerNorm(embed_dim, DEFAULT_EPSILON),
      },
      encoder: { layers: stages },
      layernorm: layerNorm(outputSize(config), config.layer_norm_eps),
    },
    ({ embeddings, encoder, layernorm }) =>
      ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, num_channels);
        const pixels = padToPatches(pixel_values, patch_size);
        const [B, , H, W] = pixels.shape as [number, number, number, number];
        let [h, w] = patchGrid([H, W], patch_size);
        const patches = tf.reshape(embeddings.patch_embeddings.projection(pixels), [B, h * w, embed_dim]);
        let x = dropout(embeddings.norm(patches), config.hidden_dropout_prob, ctx); // [B, h·w, C]
        encoder.layers.forEach(({ blocks, downsample }, stage) => {
          checkGrid(config, h, w, stage);
          x = blocks.reduce((input, block) => block(input, ctx, { h, w }), x);
          if (downsample === undefined) return;
          x = downsample(x, { h, w });
          [h, w] = [Math.ceil(h / 2), Math.ceil(w / 2)];
        });
        const last_hidden_state = layernorm(x);
        return { last_hidden_state, pooler_output: tf.mean(last_hidden_state, 1) };
      },
  );
}

/** The bias table is of the window's size, so a grid smaller than the window cannot use it. */
function checkGrid(config: Config, h: number, w: number, stage: number): void {
  field.requireConfig(
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
  layer: swinTower,
  outputSize,
  droppable: ['embeddings.mask_token'],
  imageSize: (config) => config.image_size,
};

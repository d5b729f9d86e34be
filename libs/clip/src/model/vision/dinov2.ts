/**
 * DINOv2 (Oquab et al. 2023) as transformers' `Dinov2Model`: ViT with layer scale, drop path, an optional SwiGLU
 * feed-forward, and position embeddings that follow the image's size. The pooled output is the class token.
 * B batch, P = h·w patches, T = P + 1 tokens, D hidden_size, F width of the feed-forward.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { mlp, swiglu } from '../blocks/feed-forward.js';
import { blockStack } from '../blocks/gradient-checkpointing.js';
import { preNormBlock, runBlocks, type Block } from '../blocks/transformer.js';
import * as field from '../config/schema.js';
import {
  buffer,
  constant,
  layer,
  layerNorm,
  linear,
  parameter,
  queryKeyValue,
  truncatedNormal,
  ZEROS,
  type Layer,
  type Unary,
} from '../layers/index.js';
import { dropout, dropPath, firstToken, repeatBatch } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import { checkPixels, patchEmbedding, patchGrid } from './patches.js';
import { resamplePositions } from './resample.js';

const schema = field.configSchema({
  ...field.BACKBONE_KEYS,
  ...field.transformerKeys({ dropout: 0, epsilon: 1e-6 }),
  mlp_ratio: z.number().positive().default(4),
  image_size: field.sides(224),
  patch_size: field.sides(14),
  num_channels: field.size().default(3),
  qkv_bias: z.boolean().default(true),
  layerscale_value: z.number().default(1),
  drop_path_rate: field.rate().default(0),
  use_swiglu_ffn: z.boolean().default(false),
  use_mask_token: z.boolean().default(true),
  // the backbone's, for dense features
  apply_layernorm: field.noEffect(),
  reshape_hidden_states: field.noEffect(),
});

type Config = z.output<typeof schema>;

const parseConfig = (json: unknown): Config => field.parseTransformerWith(schema, 'dinov2', json);

/** SwiGLU takes two thirds of the width, rounded up to a multiple of 8. */
function feedForward(config: Config): Layer<Unary> {
  const D = config.hidden_size;
  const F = Math.trunc(D * config.mlp_ratio);
  const init = truncatedNormal(config.initializer_range);
  return config.use_swiglu_ffn
    ? swiglu(D, Math.floor((Math.trunc((F * 2) / 3) + 7) / 8) * 8, init)
    : mlp(D, F, config.hidden_act, { fc1: init, fc2: init });
}

function dinov2Layer(config: Config): Layer<Block> {
  const { hidden_size: D, layer_norm_eps: eps, qkv_bias, drop_path_rate } = config;
  const init = truncatedNormal(config.initializer_range);
  const scale = constant(config.layerscale_value);
  return layer(
    {
      norm1: layerNorm(D, eps),
      attention: {
        attention: queryKeyValue(D, init, qkv_bias),
        output: { dense: linear(D, D, init) },
      },
      layer_scale1: { lambda1: parameter([D], scale) },
      norm2: layerNorm(D, eps),
      mlp: feedForward(config),
      layer_scale2: { lambda1: parameter([D], scale) },
    },
    ({ norm1, attention, layer_scale1, norm2, mlp, layer_scale2 }) =>
      preNormBlock({
        projections: attention.attention,
        numHeads: config.num_attention_heads,
        dropoutRate: config.attention_probs_dropout_prob,
        attended: (context, ctx) => {
          const dense = dropout(attention.output.dense(context), config.hidden_dropout_prob, ctx);
          return dropPath(tf.mul(dense, layer_scale1.lambda1), drop_path_rate, ctx);
        },
        attentionNorm: norm1,
        feedForward: (x, ctx) => dropPath(tf.mul(mlp(x), layer_scale2.lambda1), drop_path_rate, ctx),
        feedForwardNorm: norm2,
      }),
  );
}

function dinov2Tower(config: Config): Layer<Forward<VisionInputs>> {
  const { hidden_size: D, image_size, patch_size, num_channels: C } = config;
  const init = truncatedNormal(config.initializer_range);
  const stored = patchGrid(image_size, patch_size);
  return layer(
    {
      embeddings: {
        cls_token: parameter([1, 1, D], init),
        position_embeddings: parameter([1, stored[0] * stored[1] + 1, D], init),
        patch_embeddings: { projection: patchEmbedding(C, D, patch_size, init) },
        // Only masked pretraining uses it; files carry it.
        mask_token: config.use_mask_token ? buffer([1, D], ZEROS) : undefined,
      },
      encoder: { layer: blockStack(config.num_hidden_layers, () => dinov2Layer(config)) },
      layernorm: layerNorm(D, config.layer_norm_eps),
    },
    ({ embeddings, encoder, layernorm }) =>
      ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, C);
        const [B, , H, W] = pixel_values.shape as [number, number, number, number];
        const [h, w] = patchGrid([H, W], patch_size);
        const patches = tf.reshape(embeddings.patch_embeddings.projection(pixel_values), [B, h * w, D]);
        const sequence = tf.concat([repeatBatch(embeddings.cls_token, B), patches], 1); // [B, T, D]
        const asStored = H === W && h * w === stored[0] * stored[1];
        const table = embeddings.position_embeddings;
        const positions = asStored ? table : resamplePositions(table, [h, w]); // [1, T, D]
        const x = dropout(tf.add(sequence, positions), config.hidden_dropout_prob, ctx);
        const last_hidden_state = layernorm(runBlocks(encoder.layer, x, ctx));
        return { last_hidden_state, pooler_output: firstToken(last_hidden_state) };
      },
  );
}

export const dinov2: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['dinov2'],
  baseModelPrefix: 'dinov2',
  parseConfig,
  layer: dinov2Tower,
  outputSize: (config) => config.hidden_size,
  droppable: ['embeddings.mask_token'],
  imageSize: (config) => config.image_size,
};

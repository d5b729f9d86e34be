/**
 * DINOv2 (Oquab et al. 2023) as transformers' `Dinov2Model`: ViT with layer scale, drop path, an optional SwiGLU
 * feed-forward, and position embeddings that follow the image's size. The pooled output is the class token.
 * B batch, P patches, T = P + 1 tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { selfAttention } from '../blocks/self-attention.js';
import {
  activationName,
  BACKBONE_KEYS,
  configSchema,
  epsilon,
  noEffect,
  parseConfigWith,
  rate,
  requireConfig,
  size,
} from '../config/schema.js';
import {
  activation,
  dropout,
  dropPath,
  firstToken,
  repeatBatch,
  silu,
  wantedOf,
  wantedTokens,
  type Wanted,
} from '../ops/index.js';
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
import { resampleGrid } from './resample.js';

const schema = configSchema({
  ...BACKBONE_KEYS,
  hidden_size: size().default(768),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  mlp_ratio: z.number().positive().default(4),
  hidden_act: activationName().default('gelu'),
  hidden_dropout_prob: rate().default(0),
  attention_probs_dropout_prob: rate().default(0),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(1e-6),
  image_size: z.union([size(), z.tuple([size(), size()])]).default(224),
  patch_size: z.union([size(), z.tuple([size(), size()])]).default(14),
  num_channels: size().default(3),
  qkv_bias: z.boolean().default(true),
  layerscale_value: z.number().default(1),
  drop_path_rate: rate().default(0),
  use_swiglu_ffn: z.boolean().default(false),
  use_mask_token: z.boolean().default(true),
  // the backbone's, for dense features
  apply_layernorm: noEffect(),
  reshape_hidden_states: noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'dinov2', json);
  const { hidden_size, num_attention_heads } = config;
  requireConfig(
    hidden_size % num_attention_heads === 0,
    'dinov2',
    'hidden_size divisible by num_attention_heads',
    { hidden_size, num_attention_heads },
  );
  return config;
}

/** [h, w] of the stored position grid. */
function storedGrid(config: Config): readonly [number, number] {
  const [[H, W], [ph, pw]] = [pair(config.image_size), pair(config.patch_size)];
  return [Math.floor(H / ph), Math.floor(W / pw)];
}

/** Width of the feed-forward: SwiGLU takes two thirds, rounded up to a multiple of 8. */
function innerSize(config: Config): number {
  const full = Math.trunc(config.hidden_size * config.mlp_ratio);
  return config.use_swiglu_ffn ? Math.floor((Math.trunc((full * 2) / 3) + 7) / 8) * 8 : full;
}

function tensorSpecs(config: Config): TensorSpec[] {
  const D = config.hidden_size;
  const F = innerSize(config);
  const [h, w] = storedGrid(config);
  const [ph, pw] = pair(config.patch_size);
  const init = { kind: 'truncatedNormal', std: config.initializer_range } as const;
  const scale = { kind: 'constant', value: config.layerscale_value } as const;
  const specs = [
    paramSpec('embeddings.cls_token', [1, 1, D], init),
    paramSpec('embeddings.position_embeddings', [1, h * w + 1, D], init),
    paramSpec('embeddings.patch_embeddings.projection.weight', [D, config.num_channels, ph, pw], init),
    paramSpec('embeddings.patch_embeddings.projection.bias', [D], { kind: 'zeros' }),
  ];
  if (config.use_mask_token) {
    // Only masked pretraining uses it; files carry it.
    specs.push({ name: 'embeddings.mask_token', shape: [1, D], init: { kind: 'zeros' }, trainable: false });
  }
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `encoder.layer.${i}`;
    specs.push(
      ...layerNormSpecs(`${layer}.norm1`, D),
      ...linearSpecs(`${layer}.attention.attention.query`, D, D, init, config.qkv_bias),
      ...linearSpecs(`${layer}.attention.attention.key`, D, D, init, config.qkv_bias),
      ...linearSpecs(`${layer}.attention.attention.value`, D, D, init, config.qkv_bias),
      ...linearSpecs(`${layer}.attention.output.dense`, D, D, init),
      paramSpec(`${layer}.layer_scale1.lambda1`, [D], scale),
      ...layerNormSpecs(`${layer}.norm2`, D),
      ...(config.use_swiglu_ffn
        ? [
            ...linearSpecs(`${layer}.mlp.weights_in`, 2 * F, D, init),
            ...linearSpecs(`${layer}.mlp.weights_out`, D, F, init),
          ]
        : [...linearSpecs(`${layer}.mlp.fc1`, F, D, init), ...linearSpecs(`${layer}.mlp.fc2`, D, F, init)]),
      paramSpec(`${layer}.layer_scale2.lambda1`, [D], scale),
    );
  }
  return [...specs, ...layerNormSpecs('layernorm', D)];
}

/** The position embeddings for an h × w grid of patches: [1, T, D]. */
function positions(weights: Weights, config: Config, h: number, w: number, square: boolean): tf.Tensor {
  const table = param(weights, 'embeddings.position_embeddings');
  const stored = storedGrid(config);
  if (square && h * w === stored[0] * stored[1]) return table;
  const D = config.hidden_size;
  const P = stored[0] * stored[1];
  const grid = tf.reshape(tf.slice(table, [0, 1, 0], [1, P, D]), [P, D]);
  // transformers reads the stored grid as a square one.
  const side = Math.floor(Math.sqrt(P));
  requireConfig(side * side === P, 'dinov2', 'a square image_size, to resample positions', config.image_size);
  const resampled = tf.reshape(resampleGrid(grid, [side, side], [h, w]), [1, h * w, D]);
  return tf.concat([tf.slice(table, [0, 0, 0], [1, 1, D]), resampled], 1);
}

function feedForward(weights: Weights, name: string, config: Config, x: tf.Tensor): tf.Tensor {
  if (!config.use_swiglu_ffn) {
    return linearLayer(
      weights,
      `${name}.fc2`,
      activation(config.hidden_act)(linearLayer(weights, `${name}.fc1`, x)),
    );
  }
  const [gate, linear] = tf.split(linearLayer(weights, `${name}.weights_in`, x), 2, -1);
  return linearLayer(weights, `${name}.weights_out`, tf.mul(silu(gate!), linear!));
}

/** One pre-norm block, [B, T, D] → [B, T, D], or [B, 1, D] when only the first token is wanted. */
function block(
  weights: Weights,
  name: string,
  config: Config,
  x: tf.Tensor,
  ctx: ForwardContext,
  wanted: Wanted,
): tf.Tensor {
  const normed = layerNormLayer(weights, `${name}.norm1`, x, config.layer_norm_eps);
  const context = selfAttention(
    weights,
    {
      query: `${name}.attention.attention.query`,
      key: `${name}.attention.attention.key`,
      value: `${name}.attention.attention.value`,
    },
    normed,
    { numHeads: config.num_attention_heads, dropoutRate: config.attention_probs_dropout_prob },
    ctx,
    wanted,
  );
  const dense = linearLayer(weights, `${name}.attention.output.dense`, context);
  const attended = tf.mul(
    dropout(dense, config.hidden_dropout_prob, ctx),
    param(weights, `${name}.layer_scale1.lambda1`),
  );
  const middle = tf.add(dropPath(attended, config.drop_path_rate, ctx), wantedTokens(x, wanted));
  const inner = layerNormLayer(weights, `${name}.norm2`, middle, config.layer_norm_eps);
  const outer = tf.mul(
    feedForward(weights, `${name}.mlp`, config, inner),
    param(weights, `${name}.layer_scale2.lambda1`),
  );
  return tf.add(dropPath(outer, config.drop_path_rate, ctx), middle);
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels);
  const [B, , H, W] = pixel_values.shape as [number, number, number, number];
  const D = config.hidden_size;
  const projection = 'embeddings.patch_embeddings.projection';
  const patches = embedPatches(
    pixel_values,
    param(weights, `${projection}.weight`),
    param(weights, `${projection}.bias`),
  );
  const [, h, w] = patches.shape as [number, number, number, number];
  const token = repeatBatch(param(weights, 'embeddings.cls_token'), B);
  const sequence = tf.concat([token, tf.reshape(patches, [B, h * w, D])], 1);
  const placed = tf.add(sequence, positions(weights, config, h, w, H === W));
  let x = dropout(placed, config.hidden_dropout_prob, ctx);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const wanted = wantedOf(i, config.num_hidden_layers, ctx);
    x = block(weights, `encoder.layer.${i}`, config, x, ctx, wanted);
  }
  const last_hidden_state = layerNormLayer(weights, 'layernorm', x, config.layer_norm_eps);
  return { last_hidden_state, pooler_output: firstToken(last_hidden_state) };
}

export const dinov2: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['dinov2'],
  baseModelPrefix: 'dinov2',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.hidden_size,
  droppable: /^embeddings\.mask_token$/,
  imageSize: (config) => pair(config.image_size),
};

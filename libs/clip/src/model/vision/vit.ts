/**
 * ViT (Dosovitskiy et al. 2020) as transformers' `ViTModel`: pre-norm blocks, a class token, a tanh pooler.
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
  parseConfigWith,
  rate,
  requireConfig,
  size,
} from '../config/schema.js';
import {
  activation,
  dropout,
  firstToken,
  repeatBatch,
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

const vitSchema = configSchema({
  ...BACKBONE_KEYS,
  hidden_size: size().default(768),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  intermediate_size: size().default(3072),
  hidden_act: activationName().default('gelu'),
  hidden_dropout_prob: rate().default(0),
  attention_probs_dropout_prob: rate().default(0),
  initializer_range: z.number().min(0).default(0.02),
  layer_norm_eps: epsilon().default(1e-12),
  image_size: z.union([size(), z.tuple([size(), size()])]).default(224),
  patch_size: z.union([size(), z.tuple([size(), size()])]).default(16),
  num_channels: size().default(3),
  qkv_bias: z.boolean().default(true),
  pooler_output_size: size().nullish(),
  pooler_act: activationName().default('tanh'),
});

export type VitConfig = z.output<typeof vitSchema>;

/** Checks that hold for ViT and DeiT alike. */
export function parseVit(name: string, json: unknown): VitConfig {
  const config = parseConfigWith(vitSchema, name, json);
  const { hidden_size, num_attention_heads } = config;
  requireConfig(
    hidden_size % num_attention_heads === 0,
    name,
    'hidden_size divisible by num_attention_heads',
    {
      hidden_size,
      num_attention_heads,
    },
  );
  const [[H, W], [ph, pw]] = [pair(config.image_size), pair(config.patch_size)];
  requireConfig(H >= ph && W >= pw, name, 'image_size of at least patch_size', { image_size: [H, W] });
  return config;
}

/** Patches of an image of the config's size. */
function patchCount(config: VitConfig): number {
  const [[H, W], [ph, pw]] = [pair(config.image_size), pair(config.patch_size)];
  return Math.floor(H / ph) * Math.floor(W / pw);
}

/** Everything but the embeddings' own tokens, which differ between ViT and DeiT. */
export function vitSpecs(config: VitConfig, specialTokens: readonly string[]): TensorSpec[] {
  const D = config.hidden_size;
  const init = { kind: 'truncatedNormal', std: config.initializer_range } as const;
  const [ph, pw] = pair(config.patch_size);
  const specs = [
    ...specialTokens.map((token) => paramSpec(`embeddings.${token}`, [1, 1, D], init)),
    paramSpec('embeddings.position_embeddings', [1, patchCount(config) + specialTokens.length, D], init),
    paramSpec('embeddings.patch_embeddings.projection.weight', [D, config.num_channels, ph, pw], init),
    paramSpec('embeddings.patch_embeddings.projection.bias', [D], { kind: 'zeros' }),
  ];
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `encoder.layer.${i}`;
    specs.push(
      ...layerNormSpecs(`${layer}.layernorm_before`, D),
      ...linearSpecs(`${layer}.attention.attention.query`, D, D, init, config.qkv_bias),
      ...linearSpecs(`${layer}.attention.attention.key`, D, D, init, config.qkv_bias),
      ...linearSpecs(`${layer}.attention.attention.value`, D, D, init, config.qkv_bias),
      ...linearSpecs(`${layer}.attention.output.dense`, D, D, init),
      ...layerNormSpecs(`${layer}.layernorm_after`, D),
      ...linearSpecs(`${layer}.intermediate.dense`, config.intermediate_size, D, init),
      ...linearSpecs(`${layer}.output.dense`, D, config.intermediate_size, init),
    );
  }
  specs.push(
    ...layerNormSpecs('layernorm', D),
    ...linearSpecs('pooler.dense', config.pooler_output_size ?? D, D, init),
  );
  return specs;
}

/** One pre-norm block, [B, T, D] → [B, T, D], or [B, 1, D] when only the first token is wanted. */
function block(
  weights: Weights,
  name: string,
  config: VitConfig,
  x: tf.Tensor,
  ctx: ForwardContext,
  wanted: Wanted,
): tf.Tensor {
  const normed = layerNormLayer(weights, `${name}.layernorm_before`, x, config.layer_norm_eps);
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
  const attended = linearLayer(weights, `${name}.attention.output.dense`, context);
  const middle = tf.add(wantedTokens(x, wanted), dropout(attended, config.hidden_dropout_prob, ctx));
  const inner = linearLayer(
    weights,
    `${name}.intermediate.dense`,
    layerNormLayer(weights, `${name}.layernorm_after`, middle, config.layer_norm_eps),
  );
  const outer = linearLayer(weights, `${name}.output.dense`, activation(config.hidden_act)(inner));
  return tf.add(middle, dropout(outer, config.hidden_dropout_prob, ctx));
}

/** The tower behind ViT and DeiT: special tokens, then patches; the pooler reads the first token. */
export function vitForward(
  weights: Weights,
  config: VitConfig,
  { pixel_values }: VisionInputs,
  ctx: ForwardContext,
  specialTokens: readonly string[],
) {
  checkPixels(pixel_values, config.num_channels, pair(config.image_size));
  const B = pixel_values.shape[0];
  const D = config.hidden_size;
  const projection = 'embeddings.patch_embeddings.projection';
  const patches = embedPatches(
    pixel_values,
    param(weights, `${projection}.weight`),
    param(weights, `${projection}.bias`),
  );
  const tokens = specialTokens.map((token) => repeatBatch(param(weights, `embeddings.${token}`), B));
  const sequence = tf.concat([...tokens, tf.reshape(patches, [B, patchCount(config), D])], 1); // [B, T, D]
  let x = dropout(
    tf.add(sequence, param(weights, 'embeddings.position_embeddings')),
    config.hidden_dropout_prob,
    ctx,
  );
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const wanted = wantedOf(i, config.num_hidden_layers, ctx);
    x = block(weights, `encoder.layer.${i}`, config, x, ctx, wanted);
  }
  const last_hidden_state = layerNormLayer(weights, 'layernorm', x, config.layer_norm_eps);
  const pooled = linearLayer(weights, 'pooler.dense', firstToken(last_hidden_state));
  const pooler_output = activation(config.pooler_act)(pooled);
  return { last_hidden_state, pooler_output };
}

const TOKENS = ['cls_token'];

export const vit: TowerDefinition<VitConfig, VisionInputs> = {
  modelTypes: ['vit'],
  baseModelPrefix: 'vit',
  parseConfig: (json) => parseVit('vit', json),
  tensorSpecs: (config) => vitSpecs(config, TOKENS),
  forward: (weights, config, inputs, ctx) => vitForward(weights, config, inputs, ctx, TOKENS),
  outputSize: (config) => config.pooler_output_size ?? config.hidden_size,
  droppable: /^embeddings\.mask_token$/,
  optional: /^pooler\./,
  imageSize: (config) => pair(config.image_size),
};

/**
 * SigLIP's image tower (Zhai et al. 2023) as transformers' `SiglipVisionModel`: ViT without a class token;
 * a learned probe attends to the patches to pool them. B batch, P patches, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import {
  checkHeads,
  encode,
  encoderSpecs,
  lecunNormal,
  mlp,
  mlpSpecs,
  siglipInitializers,
  xavierUniform,
} from '../blocks/clip-encoder.js';
import {
  activationName,
  configSchema,
  epsilon,
  noEffect,
  only,
  parseConfigWith,
  rate,
  size,
} from '../config/schema.js';
import { attention, linear, repeatBatch } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TowerDefinition, VisionInputs, Weights } from '../types.js';
import { layerNormLayer, layerNormSpecs, linearLayer, param, paramSpec } from '../weights/params.js';
import { checkPixels, embedPatches } from './patches.js';

const schema = configSchema({
  hidden_size: size().default(768),
  intermediate_size: size().default(3072),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  num_channels: size().default(3),
  image_size: size().default(224),
  patch_size: size().default(16),
  hidden_act: activationName().default('gelu_pytorch_tanh'),
  layer_norm_eps: epsilon().default(1e-6),
  attention_dropout: rate().default(0),
  // the initialisation follows from the sizes alone
  initializer_range: noEffect(),
  initializer_factor: noEffect(),
  vision_use_head: only(true),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'siglip_vision_model', json);
  checkHeads('siglip_vision_model', config);
  return config;
}

const EMBEDDINGS = 'vision_model.embeddings';
const HEAD = 'vision_model.head';

function tensorSpecs(config: Config): TensorSpec[] {
  const { hidden_size: D, patch_size: p, image_size, num_channels: C } = config;
  const P = Math.floor(image_size / p) ** 2;
  const init = siglipInitializers(config);
  return [
    paramSpec(`${EMBEDDINGS}.patch_embedding.weight`, [D, C, p, p], lecunNormal(C * p * p)),
    paramSpec(`${EMBEDDINGS}.patch_embedding.bias`, [D], { kind: 'zeros' }),
    paramSpec(`${EMBEDDINGS}.position_embedding.weight`, [P, D], { kind: 'normal', std: D ** -0.5 }),
    ...encoderSpecs('vision_model.encoder', config, init),
    ...layerNormSpecs('vision_model.post_layernorm', D),
    paramSpec(`${HEAD}.probe`, [1, 1, D], xavierUniform(D, D)),
    paramSpec(`${HEAD}.attention.in_proj_weight`, [3 * D, D], xavierUniform(D, 3 * D)),
    paramSpec(`${HEAD}.attention.in_proj_bias`, [3 * D], { kind: 'zeros' }),
    paramSpec(`${HEAD}.attention.out_proj.weight`, [D, D], lecunNormal(D)),
    paramSpec(`${HEAD}.attention.out_proj.bias`, [D], { kind: 'zeros' }),
    ...layerNormSpecs(`${HEAD}.layernorm`, D),
    ...mlpSpecs(`${HEAD}.mlp`, config, init),
  ];
}

/** Attention pooling: [B, P, D] → [B, D]. */
function pool(weights: Weights, config: Config, x: tf.Tensor, ctx: ForwardContext): tf.Tensor {
  const [B, , D] = x.shape as [number, number, number];
  const [wq, wk, wv] = tf.split(param(weights, `${HEAD}.attention.in_proj_weight`), 3, 0);
  const [bq, bk, bv] = tf.split(param(weights, `${HEAD}.attention.in_proj_bias`), 3, 0);
  const query = repeatBatch(linear(param(weights, `${HEAD}.probe`), wq!, bq), B); // [B, 1, D]
  const options = { numHeads: config.num_attention_heads };
  const context = attention(query, linear(x, wk!, bk), linear(x, wv!, bv), options, ctx);
  const pooled = tf.reshape(linearLayer(weights, `${HEAD}.attention.out_proj`, context), [B, D]);
  const normed = layerNormLayer(weights, `${HEAD}.layernorm`, pooled, config.layer_norm_eps);
  return tf.add(pooled, mlp(weights, `${HEAD}.mlp`, config, normed));
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels, [config.image_size, config.image_size]);
  const patches = embedPatches(
    pixel_values,
    param(weights, `${EMBEDDINGS}.patch_embedding.weight`),
    param(weights, `${EMBEDDINGS}.patch_embedding.bias`),
  );
  const tokens = tf.reshape(patches, [pixel_values.shape[0], -1, config.hidden_size]);
  const placed = tf.add(tokens, param(weights, `${EMBEDDINGS}.position_embedding.weight`));
  const encoded = encode(weights, 'vision_model.encoder', config, placed, undefined, ctx);
  const last_hidden_state = layerNormLayer(
    weights,
    'vision_model.post_layernorm',
    encoded,
    config.layer_norm_eps,
  );
  return { last_hidden_state, pooler_output: pool(weights, config, last_hidden_state, ctx) };
}

export const siglipVision: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['siglip_vision_model'],
  baseModelPrefix: 'siglip',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.hidden_size,
  imageSize: (config) => [config.image_size, config.image_size],
};

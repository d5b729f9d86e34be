/**
 * CLIP's image tower (Radford et al. 2021) as transformers' `CLIPVisionModel`: ViT with a layer norm before the
 * blocks and one on the class token after them. B batch, P patches, T = P + 1 tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { checkHeads, clipInitializers, encode, encoderSpecs } from '../blocks/clip-encoder.js';
import {
  activationName,
  configSchema,
  epsilon,
  noEffect,
  parseConfigWith,
  rate,
  size,
} from '../config/schema.js';
import { firstToken, repeatBatch } from '../ops/index.js';
import type { ForwardContext, TensorSpec, TowerDefinition, VisionInputs, Weights } from '../types.js';
import { layerNormLayer, layerNormSpecs, param, paramSpec } from '../weights/params.js';
import { checkPixels, embedPatches } from './patches.js';

const schema = configSchema({
  hidden_size: size().default(768),
  intermediate_size: size().default(3072),
  num_hidden_layers: size().default(12),
  num_attention_heads: size().default(12),
  num_channels: size().default(3),
  image_size: size().default(224),
  patch_size: size().default(32),
  hidden_act: activationName().default('quick_gelu'),
  layer_norm_eps: epsilon().default(1e-5),
  attention_dropout: rate().default(0),
  initializer_range: z.number().min(0).default(0.02),
  initializer_factor: z.number().min(0).default(1),
  // old configs carry it; the model never had it
  dropout: noEffect(),
  // the projection belongs to the two-tower model
  projection_dim: noEffect(),
});

type Config = z.output<typeof schema>;

function parseConfig(json: unknown): Config {
  const config = parseConfigWith(schema, 'clip_vision_model', json);
  checkHeads('clip_vision_model', config);
  return config;
}

const EMBEDDINGS = 'vision_model.embeddings';

function tensorSpecs(config: Config): TensorSpec[] {
  const { hidden_size: D, patch_size, image_size, initializer_factor: factor } = config;
  const P = Math.floor(image_size / patch_size) ** 2;
  const init = { kind: 'normal', std: config.initializer_range * factor } as const;
  return [
    paramSpec(`${EMBEDDINGS}.class_embedding`, [D], { kind: 'normal', std: D ** -0.5 * factor }),
    paramSpec(`${EMBEDDINGS}.patch_embedding.weight`, [D, config.num_channels, patch_size, patch_size], init),
    paramSpec(`${EMBEDDINGS}.position_embedding.weight`, [P + 1, D], init),
    ...layerNormSpecs('vision_model.pre_layrnorm', D), // transformers' spelling
    ...encoderSpecs('vision_model.encoder', config, clipInitializers(config, factor)),
    ...layerNormSpecs('vision_model.post_layernorm', D),
  ];
}

function forward(weights: Weights, config: Config, { pixel_values }: VisionInputs, ctx: ForwardContext) {
  checkPixels(pixel_values, config.num_channels, [config.image_size, config.image_size]);
  const B = pixel_values.shape[0];
  const { hidden_size: D, layer_norm_eps } = config;
  const patches = embedPatches(pixel_values, param(weights, `${EMBEDDINGS}.patch_embedding.weight`));
  const token = repeatBatch(tf.reshape(param(weights, `${EMBEDDINGS}.class_embedding`), [1, 1, D]), B);
  const sequence = tf.concat([token, tf.reshape(patches, [B, -1, D])], 1); // [B, T, D]
  const placed = tf.add(sequence, param(weights, `${EMBEDDINGS}.position_embedding.weight`));
  const normed = layerNormLayer(weights, 'vision_model.pre_layrnorm', placed, layer_norm_eps);
  const wanted = ctx.firstTokenOnly ? 'first token' : 'all tokens';
  const last_hidden_state = encode(weights, 'vision_model.encoder', config, normed, undefined, ctx, wanted);
  const first = firstToken(last_hidden_state);
  const pooler_output = layerNormLayer(weights, 'vision_model.post_layernorm', first, layer_norm_eps);
  return { last_hidden_state, pooler_output };
}

export const clipVision: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['clip_vision_model'],
  baseModelPrefix: 'clip',
  parseConfig,
  tensorSpecs,
  forward,
  outputSize: (config) => config.hidden_size,
  imageSize: (config) => [config.image_size, config.image_size],
};

/**
 * CLIP's image tower (Radford et al. 2021) as transformers' `CLIPVisionModel`: ViT with a layer norm before the
 * blocks and one on the class token after them. B batch, P patches, T = P + 1 tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { clipEncoder, clipInitializers, encoderKeys } from '../blocks/clip-encoder.js';
import * as field from '../config/schema.js';
import { layer, layerNorm, normal, parameter, type Layer } from '../layers/index.js';
import { firstToken, repeatBatch } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import { checkPixels, patchEmbedding, patchGrid } from './patches.js';

const schema = field.configSchema({
  ...encoderKeys({ activation: 'quick_gelu', epsilon: 1e-5 }),
  num_channels: field.size().default(3),
  image_size: field.size().default(224),
  patch_size: field.size().default(32),
  initializer_range: z.number().min(0).default(0.02),
  initializer_factor: z.number().min(0).default(1),
  // old configs carry it; the model never had it
  dropout: field.noEffect(),
  // the projection belongs to the two-tower model
  projection_dim: field.noEffect(),
});

type Config = z.output<typeof schema>;

const parseConfig = (json: unknown): Config => field.parseTransformerWith(schema, 'clip_vision_model', json);

function clipVisionTower(config: Config): Layer<Forward<VisionInputs>> {
  const { hidden_size: D, num_channels: C, image_size: side, patch_size: p } = config;
  const { layer_norm_eps: eps, initializer_factor: factor } = config;
  const init = normal(config.initializer_range * factor);
  const [h, w] = patchGrid([side, side], [p, p]);
  const P = h * w;
  const vision_model = {
    embeddings: {
      class_embedding: parameter([D], normal(D ** -0.5 * factor)),
      patch_embedding: patchEmbedding(C, D, [p, p], init, { bias: false }),
      position_embedding: { weight: parameter([P + 1, D], init) },
    },
    pre_layrnorm: layerNorm(D, eps), // transformers' spelling
    encoder: clipEncoder(config, clipInitializers(config, factor)),
    post_layernorm: layerNorm(D, eps),
  };
  return layer(
    { vision_model },
    ({ vision_model: { embeddings, pre_layrnorm, encoder, post_layernorm } }) => {
      return ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, C, [side, side]);
        const B = pixel_values.shape[0];
        const token = repeatBatch(tf.reshape(embeddings.class_embedding, [1, 1, D]), B);
        const patches = tf.reshape(embeddings.patch_embedding(pixel_values), [B, P, D]);
        const sequence = tf.concat([token, patches], 1); // [B, T, D]
        const x = pre_layrnorm(tf.add(sequence, embeddings.position_embedding.weight));
        const last_hidden_state = encoder(x, ctx);
        return { last_hidden_state, pooler_output: post_layernorm(firstToken(last_hidden_state)) };
      };
    },
  );
}

export const clipVision: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['clip_vision_model'],
  baseModelPrefix: 'clip',
  parseConfig,
  layer: clipVisionTower,
  outputSize: (config) => config.hidden_size,
  imageSize: (config) => [config.image_size, config.image_size],
};

/**
 * SigLIP's image tower (Zhai et al. 2023) as transformers' `SiglipVisionModel`: ViT without a class token;
 * a learned probe attends to the patches to pool them. B batch, P patches, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import { clipEncoder, clipMlp, encoderKeys, siglipInitializers } from '../blocks/clip-encoder.js';
import * as field from '../config/schema.js';
import { everyPosition, type ForwardContext } from '../context.js';
import {
  layer,
  layerNorm,
  lecunNormal,
  linear,
  normal,
  parameter,
  xavierUniform,
  ZEROS,
  type Layer,
} from '../layers/index.js';
import { attention, linear as multiply, repeatBatch } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import { checkPixels, patchEmbedding, patchGrid } from './patches.js';

const schema = field.configSchema({
  ...encoderKeys({ activation: 'gelu_pytorch_tanh', epsilon: 1e-6 }),
  num_channels: field.size().default(3),
  image_size: field.size().default(224),
  patch_size: field.size().default(16),
  // the initialisation follows from the sizes alone
  initializer_range: field.noEffect(),
  initializer_factor: field.noEffect(),
  vision_use_head: field.only(true),
});

type Config = z.output<typeof schema>;

const parseConfig = (json: unknown): Config =>
  field.parseTransformerWith(schema, 'siglip_vision_model', json);

/** Attention pooling: [B, P, D] → [B, D]. */
function poolingHead(config: Config): Layer<(x: tf.Tensor, ctx: ForwardContext) => tf.Tensor> {
  const { hidden_size: D, num_attention_heads: numHeads } = config;
  return layer(
    {
      probe: parameter([1, 1, D], xavierUniform(D, D)),
      attention: {
        in_proj_weight: parameter([3 * D, D], xavierUniform(D, 3 * D)),
        in_proj_bias: parameter([3 * D], ZEROS),
        out_proj: linear(D, D, lecunNormal(D)),
      },
      layernorm: layerNorm(D, config.layer_norm_eps),
      mlp: clipMlp(config, siglipInitializers(config)),
    },
    ({ probe, attention: { in_proj_weight, in_proj_bias, out_proj }, layernorm, mlp }) =>
      (x, ctx) => {
        const B = x.shape[0];
        const [wq, wk, wv] = tf.split(in_proj_weight, 3, 0);
        const [bq, bk, bv] = tf.split(in_proj_bias, 3, 0);
        const query = repeatBatch(multiply(probe, wq!, bq), B); // [B, 1, D]
        const context = attention(query, multiply(x, wk!, bk), multiply(x, wv!, bv), { numHeads }, ctx);
        const pooled = tf.reshape(out_proj(context), [B, D]);
        return tf.add(pooled, mlp(layernorm(pooled)));
      },
  );
}

function siglipVisionTower(config: Config): Layer<Forward<VisionInputs>> {
  const { hidden_size: D, num_channels: C, image_size: side, patch_size: p } = config;
  const [h, w] = patchGrid([side, side], [p, p]);
  const P = h * w;
  const vision_model = {
    embeddings: {
      patch_embedding: patchEmbedding(C, D, [p, p], lecunNormal(C * p * p)),
      position_embedding: { weight: parameter([P, D], normal(D ** -0.5)) },
    },
    encoder: clipEncoder(config, siglipInitializers(config)),
    post_layernorm: layerNorm(D, config.layer_norm_eps),
    head: poolingHead(config),
  };
  return layer({ vision_model }, ({ vision_model: { embeddings, encoder, post_layernorm, head } }) => {
    return ({ pixel_values }, ctx) => {
      checkPixels(pixel_values, C, [side, side]);
      const patches = tf.reshape(embeddings.patch_embedding(pixel_values), [pixel_values.shape[0], P, D]);
      const x = tf.add(patches, embeddings.position_embedding.weight); // [B, P, D]
      const last_hidden_state = post_layernorm(encoder(x, everyPosition(ctx)));
      return { last_hidden_state, pooler_output: head(last_hidden_state, ctx) };
    };
  });
}

export const siglipVision: TowerDefinition<Config, VisionInputs> = {
  modelTypes: ['siglip_vision_model'],
  baseModelPrefix: 'siglip',
  parseConfig,
  layer: siglipVisionTower,
  outputSize: (config) => config.hidden_size,
  imageSize: (config) => [config.image_size, config.image_size],
};

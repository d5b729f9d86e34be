/**
 * ViT (Dosovitskiy et al. 2020) as transformers' `ViTModel`: pre-norm blocks, a class token, a tanh pooler.
 * B batch, P patches, T = P + special tokens, D hidden_size, F intermediate_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { blockStack } from '../blocks/gradient-checkpointing.js';
import { firstTokenPooler } from '../blocks/pooler.js';
import { preNormBlock, runBlocks, type Block } from '../blocks/transformer.js';
import * as field from '../config/schema.js';
import {
  layer,
  layerNorm,
  linear,
  parameter,
  queryKeyValue,
  truncatedNormal,
  type Layer,
} from '../layers/index.js';
import { activation, dropout, repeatBatch } from '../ops/index.js';
import type { Forward, TowerDefinition, VisionInputs } from '../tower.js';
import type { Initializer } from '../types.js';
import { checkPixels, patchEmbedding, patchGrid } from './patches.js';

const schema = field.configSchema({
  ...field.BACKBONE_KEYS,
  ...field.transformerKeys({ dropout: 0, epsilon: 1e-12 }),
  intermediate_size: field.size().default(3072),
  image_size: field.sides(224),
  patch_size: field.sides(16),
  num_channels: field.size().default(3),
  qkv_bias: z.boolean().default(true),
  pooler_output_size: field.size().nullish(),
  pooler_act: field.activationName().default('tanh'),
});

export type VitConfig = z.output<typeof schema>;

/** Checks that hold for ViT and DeiT alike. */
export function parseVit(name: string, json: unknown): VitConfig {
  const config = field.parseTransformerWith(schema, name, json);
  const { image_size, patch_size } = config;
  const fits = image_size[0] >= patch_size[0] && image_size[1] >= patch_size[1];
  field.requireConfig(fits, name, 'image_size of at least patch_size', { image_size });
  return config;
}

function vitLayer(config: VitConfig): Layer<Block> {
  const { hidden_size: D, intermediate_size: F, layer_norm_eps: eps, qkv_bias } = config;
  const { hidden_act, hidden_dropout_prob: rate } = config;
  const init = truncatedNormal(config.initializer_range);
  return layer(
    {
      layernorm_before: layerNorm(D, eps),
      attention: {
        attention: queryKeyValue(D, init, qkv_bias),
        output: { dense: linear(D, D, init) },
      },
      layernorm_after: layerNorm(D, eps),
      intermediate: { dense: linear(D, F, init) },
      output: { dense: linear(F, D, init) },
    },
    ({ layernorm_before, attention, layernorm_after, intermediate, output }) =>
      preNormBlock({
        projections: attention.attention,
        numHeads: config.num_attention_heads,
        dropoutRate: config.attention_probs_dropout_prob,
        attended: (context, ctx) => dropout(attention.output.dense(context), rate, ctx),
        attentionNorm: layernorm_before,
        feedForward: (x, ctx) =>
          dropout(output.dense(activation(hidden_act)(intermediate.dense(x))), rate, ctx),
        feedForwardNorm: layernorm_after,
      }),
  );
}

interface Variant {
  /** A token for distillation follows the class token. */
  readonly distilled: boolean;
  /** Of the special tokens and the positions. */
  readonly tokenInit: Initializer;
}

/** The tower behind ViT and DeiT. */
export function vitTower(config: VitConfig, { distilled, tokenInit }: Variant): Layer<Forward<VisionInputs>> {
  const { hidden_size: D, image_size, patch_size, num_channels: C } = config;
  const init = truncatedNormal(config.initializer_range);
  const [h, w] = patchGrid(image_size, patch_size);
  const T = h * w + (distilled ? 2 : 1);
  return layer(
    {
      embeddings: {
        cls_token: parameter([1, 1, D], tokenInit),
        distillation_token: distilled ? parameter([1, 1, D], tokenInit) : undefined,
        position_embeddings: parameter([1, T, D], tokenInit),
        patch_embeddings: { projection: patchEmbedding(C, D, patch_size, init) },
      },
      encoder: { layer: blockStack(config.num_hidden_layers, () => vitLayer(config)) },
      layernorm: layerNorm(D, config.layer_norm_eps),
      pooler: firstTokenPooler(D, vitOutputSize(config), init, activation(config.pooler_act)),
    },
    ({ embeddings, encoder, layernorm, pooler }) =>
      ({ pixel_values }, ctx) => {
        checkPixels(pixel_values, C, image_size);
        const B = pixel_values.shape[0];
        const { cls_token, distillation_token, position_embeddings, patch_embeddings } = embeddings;
        const special = distillation_token === undefined ? [cls_token] : [cls_token, distillation_token];
        const tokens = special.map((token) => repeatBatch(token, B)); // [B, 1, D] each
        const patches = tf.reshape(patch_embeddings.projection(pixel_values), [B, h * w, D]);
        const sequence = tf.concat([...tokens, patches], 1); // [B, T, D]
        const x = dropout(tf.add(sequence, position_embeddings), config.hidden_dropout_prob, ctx);
        const last_hidden_state = layernorm(runBlocks(encoder.layer, x, ctx));
        return { last_hidden_state, pooler_output: pooler(last_hidden_state) };
      },
  );
}

/** What the pooler gives. */
export function vitOutputSize(config: VitConfig): number {
  return config.pooler_output_size ?? config.hidden_size;
}

export const vit: TowerDefinition<VitConfig, VisionInputs> = {
  modelTypes: ['vit'],
  baseModelPrefix: 'vit',
  parseConfig: (json) => parseVit('vit', json),
  layer: (config) =>
    vitTower(config, { distilled: false, tokenInit: truncatedNormal(config.initializer_range) }),
  outputSize: vitOutputSize,
  droppable: ['embeddings.mask_token'],
  imageSize: (config) => config.image_size,
};

/**
 * The dual encoder: an image tower and a text tower, projected to one space of E dimensions and normalised.
 * Three kinds of config.json: transformers' VisionTextDualEncoder (any two towers), CLIP and SigLIP.
 * B batch, T tokens, D tower width, E embedding.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../errors.js';
import { parseDualEncoderConfig, type DualEncoderConfig } from './config/dual-encoder.js';
import { dropout, firstToken, gelu, layerNorm, linear } from './ops/index.js';
import { createTextTower, createVisionTower } from './registry.js';
import type { ForwardContext, TensorSpec, TextTower, TowerOutput, VisionTower, Weights } from './types.js';
import { layerNormSpecs, param, paramSpec, scoped } from './weights/params.js';

export interface DualEncoder {
  readonly config: DualEncoderConfig;
  readonly vision: VisionTower;
  readonly text: TextTower;
  /** What the tower's tensor names have in front: '' where the tower's own names are unambiguous. */
  readonly visionPrefix: string;
  readonly textPrefix: string;
  /** E */
  readonly embeddingSize: number;
}

/** Layer norm of the residual head, as torch's default. */
const HEAD_EPSILON = 1e-5;

/**
 * Builds a dual encoder from its config.json.
 * @throws ClipError CONFIG_INVALID, MODEL_UNSUPPORTED
 */
export function createDualEncoder(json: unknown): DualEncoder {
  const config = parseDualEncoderConfig(json);
  const vision = createVisionTower(config.vision_config);
  const text = createTextTower(config.text_config);
  const nested = config.kind === 'vision-text-dual-encoder';
  if (config.projection_head === 'none' && vision.outputSize !== text.outputSize) {
    throw new ClipError('CONFIG_INVALID', 'The towers of a model without projections differ in width', {
      expected: `text width ${vision.outputSize}`,
      found: `${text.outputSize}`,
    });
  }
  return {
    config,
    vision,
    text,
    visionPrefix: nested ? 'vision_model.' : '',
    textPrefix: nested ? 'text_model.' : '',
    embeddingSize: config.projection_head === 'none' ? vision.outputSize : config.projection_dim,
  };
}

/** Every tensor of the model under the names of its checkpoint. */
export function dualEncoderSpecs(model: DualEncoder): TensorSpec[] {
  const { config, vision, text } = model;
  const prefixed = (specs: readonly TensorSpec[], prefix: string) =>
    specs.map((spec) => ({ ...spec, name: prefix + spec.name }));
  const textSpecs = text.specs.map((spec) =>
    config.text_pooling !== 'pooler' && text.optional?.test(spec.name) === true
      ? { ...spec, trainable: false }
      : spec,
  );
  const scalarShape = config.kind === 'siglip' ? [1] : [];
  const scalar = (name: string, value: number) => paramSpec(name, scalarShape, { kind: 'constant', value });
  return [
    ...prefixed(vision.specs, model.visionPrefix),
    ...prefixed(textSpecs, model.textPrefix),
    ...headSpecs(config, 'visual_projection', vision.outputSize),
    ...headSpecs(config, 'text_projection', text.outputSize),
    scalar('logit_scale', config.logit_scale_init_value),
    ...(config.kind === 'siglip' ? [scalar('logit_bias', 0)] : []),
  ];
}

/**
 * @param pixel_values [B, 3, H, W]
 * @returns image_embeds [B, E], L2-normalised
 */
export function encodeImages(
  model: DualEncoder,
  weights: Weights,
  pixel_values: tf.Tensor,
  ctx: ForwardContext,
): tf.Tensor2D {
  const towerCtx = towerContext(ctx, true);
  const output = model.vision.forward(scoped(weights, model.visionPrefix), { pixel_values }, towerCtx);
  for (const [name, value] of Object.entries(towerCtx.statistics)) {
    ctx.statistics[model.visionPrefix + name] = value;
  }
  ctx.masks = towerCtx.masks;
  return project(weights, 'visual_projection', pooled(output), model.config, ctx);
}

/**
 * @param input_ids [B, T] int32
 * @param attention_mask [B, T] int32; absent, or a SigLIP text tower (which reads its padding): every token counts
 * @returns text_embeds [B, E], L2-normalised
 */
export function encodeTexts(
  model: DualEncoder,
  weights: Weights,
  input_ids: tf.Tensor,
  attention_mask: tf.Tensor | undefined,
  ctx: ForwardContext,
): tf.Tensor2D {
  const mask = model.text.modelType === 'siglip_text_model' ? undefined : attention_mask;
  const towerCtx = towerContext(ctx, model.config.text_pooling !== 'mean');
  const inputs = { input_ids, attention_mask: mask };
  const output = model.text.forward(scoped(weights, model.textPrefix), inputs, towerCtx);
  ctx.masks = towerCtx.masks;
  const features =
    model.config.text_pooling === 'mean'
      ? meanOverTokens(output.last_hidden_state, mask)
      : model.config.text_pooling === 'cls'
        ? firstToken(output.last_hidden_state)
        : pooled(output);
  return project(weights, 'text_projection', features, model.config, ctx);
}

/**
 * @param image_embeds [N, E]
 * @param text_embeds [L, E]
 * @returns logits_per_image [N, L]: exp(logit_scale) · cosine, plus logit_bias where the model has one
 */
export function logitsPerImage(
  weights: Weights,
  image_embeds: tf.Tensor,
  text_embeds: tf.Tensor,
): tf.Tensor2D {
  const cosines = tf.matMul(image_embeds, text_embeds, false, true);
  const scaled = tf.mul(cosines, tf.exp(tf.reshape(param(weights, 'logit_scale'), [])));
  const bias = weights.logit_bias;
  return (bias === undefined ? scaled : tf.add(scaled, tf.reshape(bias, []))) as tf.Tensor2D;
}

/** Frozen towers run in evaluation mode. Masks keep counting, so that no two share a salt. */
function towerContext(ctx: ForwardContext, firstTokenOnly: boolean): ForwardContext {
  return ctx.frozenTowers
    ? { ...ctx, firstTokenOnly, training: false, batchNorm: 'evaluation', statistics: {} }
    : { ...ctx, firstTokenOnly, statistics: {} };
}

/** The tower's pooled features, or its first token where it has no pooler. */
function pooled(output: TowerOutput): tf.Tensor {
  return output.pooler_output ?? firstToken(output.last_hidden_state);
}

/** The mean of the tokens that the mask keeps, as sentence-transformers pools: [B, T, D] → [B, D]. */
export function meanOverTokens(x: tf.Tensor, attention_mask?: tf.Tensor): tf.Tensor {
  if (attention_mask === undefined) return tf.mean(x, 1);
  const kept = tf.expandDims(tf.cast(attention_mask, 'float32'), 2); // [B, T, 1]
  return tf.div(tf.sum(tf.mul(x, kept), 1), tf.maximum(tf.sum(kept, 1), 1));
}

/** Rows of length 1. */
export function l2Normalize(x: tf.Tensor): tf.Tensor2D {
  return tf.div(x, tf.sqrt(tf.sum(tf.square(x), -1, true)));
}

function headSpecs(config: DualEncoderConfig, name: string, inputs: number): TensorSpec[] {
  if (config.projection_head === 'none') return [];
  const E = config.projection_dim;
  const std = config.kind === 'clip' ? inputs ** -0.5 : 0.02;
  const init = { kind: 'normal', std } as const;
  const projection = paramSpec(`${name}.weight`, [E, inputs], init);
  if (config.projection_head === 'linear') return [projection];
  return [
    projection,
    paramSpec(`${name}.residual.weight`, [E, E], init),
    ...layerNormSpecs(`${name}.layer_norm`, E),
  ];
}

/**
 * features [B, D] → embeddings [B, E]. Linear head: p = W dropout(z).
 * Residual head: p = W z, layer_norm(p + dropout(W_h gelu(p))).
 */
export function project(
  weights: Weights,
  name: string,
  features: tf.Tensor,
  config: Pick<DualEncoderConfig, 'projection_head' | 'projection_dropout'>,
  ctx: ForwardContext,
): tf.Tensor2D {
  if (config.projection_head === 'none') return l2Normalize(features);
  const isLinear = config.projection_head === 'linear';
  const kept = isLinear ? dropout(features, config.projection_dropout, ctx) : features;
  const projected = linear(kept, param(weights, `${name}.weight`));
  if (isLinear) return l2Normalize(projected);
  const hidden = linear(gelu(projected), param(weights, `${name}.residual.weight`));
  const summed = tf.add(projected, dropout(hidden, config.projection_dropout, ctx));
  const [gamma, beta] = [
    param(weights, `${name}.layer_norm.weight`),
    param(weights, `${name}.layer_norm.bias`),
  ];
  return l2Normalize(layerNorm(summed, gamma, beta, HEAD_EPSILON));
}

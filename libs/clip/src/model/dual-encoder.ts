/**
 * The dual encoder: an image tower and a text tower, projected to one space of E dimensions and normalised.
 * Three kinds of config.json: transformers' VisionTextDualEncoder (any two towers), CLIP and SigLIP.
 * B batch, T tokens, N images, L texts, D tower width, E embedding.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../errors.js';
import { parseDualEncoderConfig, type DualEncoderConfig } from './config/dual-encoder.js';
import { isFrozen, type ForwardContext } from './context.js';
import { constant, describedAs, layer, named, parameter, type Layer } from './layers/index.js';
import { firstToken } from './ops/index.js';
import { projectionHead } from './projection-head.js';
import { createTextTower, createVisionTower } from './registry.js';
import type { TextInputs, TextTower, TowerOutput, VisionInputs, VisionTower } from './tower.js';
import type { TensorSpec, Weights } from './types.js';

/** What a dual encoder computes once its weights are there. */
interface BoundDualEncoder {
  /** → what the tower gives the head to project [B, D] */
  imageFeatures(inputs: VisionInputs, ctx: ForwardContext): tf.Tensor;
  textFeatures(inputs: TextInputs, ctx: ForwardContext): tf.Tensor;
  /** features [B, D] → image_embeds [B, E], unit-norm */
  projectImages(features: tf.Tensor, ctx: ForwardContext): tf.Tensor2D;
  projectTexts(features: tf.Tensor, ctx: ForwardContext): tf.Tensor2D;
  /** → image_embeds [B, E], unit-norm */
  encodeImages(inputs: VisionInputs, ctx: ForwardContext): tf.Tensor2D;
  /** → text_embeds [B, E], unit-norm */
  encodeTexts(inputs: TextInputs, ctx: ForwardContext): tf.Tensor2D;
  /** image_embeds [N, E], text_embeds [L, E] → logits_per_image [N, L] */
  logitsPerImage(image_embeds: tf.Tensor, text_embeds: tf.Tensor): tf.Tensor2D;
}

export interface DualEncoder {
  readonly config: DualEncoderConfig;
  readonly vision: VisionTower;
  readonly text: TextTower;
  /** Both towers, the heads, the temperature. */
  readonly layer: Layer<BoundDualEncoder>;
  /** Prefix of the tower's tensor names: '' where the tower's own names are unambiguous. */
  readonly visionPrefix: string;
  readonly textPrefix: string;
  /** Names of both towers' tensors, as the checkpoint has them: all but heads, temperature and bias. */
  readonly towerTensors: ReadonlySet<string>;
  /** E */
  readonly embeddingSize: number;
}

/**
 * Builds a dual encoder from its config.json.
 * @throws ClipError CONFIG_INVALID, MODEL_UNSUPPORTED
 */
export function createDualEncoder(json: unknown): DualEncoder {
  const config = parseDualEncoderConfig(json);
  const vision = createVisionTower(config.vision_config);
  const text = createTextTower(config.text_config);
  if (config.projection_head === 'none' && vision.outputSize !== text.outputSize) {
    throw new ClipError('CONFIG_INVALID', 'The towers of a model without projections differ in width', {
      expected: `text width ${vision.outputSize}`,
      found: `${text.outputSize}`,
    });
  }
  const [visionKey, textKey] = towerKeys(config);
  const prefix = (key: string) => (key === '' ? '' : `${key}.`);
  return {
    config,
    vision,
    text,
    layer: dualEncoderLayer(config, vision, text),
    visionPrefix: prefix(visionKey),
    textPrefix: prefix(textKey),
    towerTensors: new Set(
      [...vision.layer.specs(visionKey), ...text.layer.specs(textKey)].map(({ name }) => name),
    ),
    embeddingSize: config.projection_head === 'none' ? vision.outputSize : config.projection_dim,
  };
}

/** The key of each tower: CLIP's and SigLIP's own names begin with vision_model and text_model already. */
function towerKeys({ kind }: DualEncoderConfig): readonly [string, string] {
  return kind === 'vision-text-dual-encoder' ? ['vision_model', 'text_model'] : ['', ''];
}

function dualEncoderLayer(
  config: DualEncoderConfig,
  vision: VisionTower,
  text: TextTower,
): Layer<BoundDualEncoder> {
  const { kind, text_pooling, logit_bias_init_value: logitBias } = config;
  const [visionKey, textKey] = towerKeys(config);
  const scalar = kind === 'siglip' ? [1] : [];
  return layer(
    {
      vision: named(visionKey, vision.layer),
      text: named(textKey, text_pooling === 'pooler' ? text.layer : poolerUnused(text.layer)),
      visual_projection: projectionHead(config, vision.outputSize),
      text_projection: projectionHead(config, text.outputSize),
      logit_scale: parameter(scalar, constant(config.logit_scale_init_value)),
      logit_bias: logitBias === undefined ? undefined : parameter(scalar, constant(logitBias)),
    },
    // Each part is bound when it is used: heads that learn alone need no weights of the towers.
    (parts) => {
      const imageFeatures = (inputs: VisionInputs, ctx: ForwardContext) =>
        pooled(parts.vision(inputs, towerContext(ctx, 'vision', 'first')));
      const textFeatures = ({ input_ids, attention_mask }: TextInputs, ctx: ForwardContext) => {
        // SigLIP's text tower was trained on its padding: every token counts.
        const mask = text.modelType === 'siglip_text_model' ? undefined : attention_mask;
        const towerCtx = towerContext(ctx, 'text', text_pooling === 'mean' ? 'all' : 'first');
        const output = parts.text({ input_ids, attention_mask: mask }, towerCtx);
        return pooledText(output, text_pooling, mask);
      };
      return {
        imageFeatures,
        textFeatures,
        projectImages: (features, ctx) => parts.visual_projection(features, ctx),
        projectTexts: (features, ctx) => parts.text_projection(features, ctx),
        encodeImages: (inputs, ctx) => parts.visual_projection(imageFeatures(inputs, ctx), ctx),
        encodeTexts: (inputs, ctx) => parts.text_projection(textFeatures(inputs, ctx), ctx),
        logitsPerImage: (image_embeds, text_embeds) => {
          const cosines = tf.matMul(image_embeds, text_embeds, false, true);
          const scaled = tf.mul(cosines, tf.exp(tf.reshape(parts.logit_scale, [])));
          const bias = parts.logit_bias;
          return (bias === undefined ? scaled : tf.add(scaled, tf.reshape(bias, []))) as tf.Tensor2D;
        },
      };
    },
  );
}

/** Towers' optional tensors are their poolers; one that no output depends on does not train. */
function poolerUnused<Applied>(tower: Layer<Applied>): Layer<Applied> {
  return describedAs(tower, (spec) => (spec.optional === true ? { ...spec, trainable: false } : spec));
}

/** Every tensor of the model under the names of its checkpoint. */
export function dualEncoderSpecs(model: DualEncoder): TensorSpec[] {
  return model.layer.specs('');
}

/**
 * @param pixel_values [B, 3, H, W]
 * @returns image_embeds [B, E], unit-norm
 */
export function encodeImages(
  model: DualEncoder,
  weights: Weights,
  pixel_values: tf.Tensor,
  ctx: ForwardContext,
): tf.Tensor2D {
  return model.layer.bind(weights, '').encodeImages({ pixel_values }, ctx);
}

/**
 * @param input_ids [B, T] int32
 * @param attention_mask [B, T] int32; absent, or a SigLIP text tower (which reads its padding): every token counts
 * @returns text_embeds [B, E], unit-norm
 */
export function encodeTexts(
  model: DualEncoder,
  weights: Weights,
  input_ids: tf.Tensor,
  attention_mask: tf.Tensor | undefined,
  ctx: ForwardContext,
): tf.Tensor2D {
  return model.layer.bind(weights, '').encodeTexts({ input_ids, attention_mask }, ctx);
}

/**
 * @param image_embeds [N, E]
 * @param text_embeds [L, E]
 * @returns logits_per_image [N, L]: exp(logit_scale) · cosine, plus logit_bias where the model has one
 */
export function logitsPerImage(
  model: DualEncoder,
  weights: Weights,
  image_embeds: tf.Tensor,
  text_embeds: tf.Tensor,
): tf.Tensor2D {
  return model.layer.bind(weights, '').logitsPerImage(image_embeds, text_embeds);
}

/** Frozen towers run in evaluation mode. They compute the positions that are pooled, unless the caller wants others. */
function towerContext(
  ctx: ForwardContext,
  side: 'vision' | 'text',
  outputPositions: 'all' | 'first',
): ForwardContext {
  const tower = { ...ctx, outputPositions: ctx.outputPositions ?? outputPositions };
  return isFrozen(ctx.frozenTowers, side) ? { ...tower, training: false, batchNorm: 'evaluation' } : tower;
}

/** The tower's pooled features, or its first token where it has no pooler: [B, D]. */
function pooled(output: TowerOutput): tf.Tensor {
  return output.pooler_output ?? firstToken(output.last_hidden_state);
}

function pooledText(
  output: TowerOutput,
  pooling: DualEncoderConfig['text_pooling'],
  attention_mask?: tf.Tensor,
): tf.Tensor {
  if (pooling === 'mean') return meanOverTokens(output.last_hidden_state, attention_mask);
  return pooling === 'cls' ? firstToken(output.last_hidden_state) : pooled(output);
}

/** The mean of the tokens that the mask keeps, as sentence-transformers pools: [B, T, D] → [B, D]. */
export function meanOverTokens(x: tf.Tensor, attention_mask?: tf.Tensor): tf.Tensor {
  if (attention_mask === undefined) return tf.mean(x, 1);
  const kept = tf.expandDims(tf.cast(attention_mask, 'float32'), 2); // [B, T, 1]
  return tf.div(tf.sum(tf.mul(x, kept), 1), tf.maximum(tf.sum(kept, 1), 1));
}

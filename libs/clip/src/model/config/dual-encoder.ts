/**
 * config.json of a dual encoder: transformers' vision-text-dual-encoder with this project's options,
 * or a published CLIP or SigLIP model.
 */
import { z } from 'zod';
import { configSchema, noEffect, parseConfigWith, rate, size } from './schema.js';

const towerConfig = z.looseObject({ model_type: z.string().optional() });

/** The fields of this project; a plain transformers config has none of them. */
const OPTIONS = {
  /** 'residual': the head of the original script, with three more tensors per side. */
  projection_head: z.enum(['linear', 'residual']).default('linear'),
  /** Dropout in training: on the features before a linear head, inside a residual one. */
  projection_dropout: rate().default(0),
  /** What represents a text: the tower's pooler, its first token, or the mean of its tokens. */
  text_pooling: z.enum(['pooler', 'cls', 'mean']).default('pooler'),
};

/** The learned scale and bias, repeated for readers of the ONNX models; here the values in the weights count. */
const LEARNED = { logit_scale: noEffect(), logit_bias: noEffect() };

/** The models that transformers gives no logit_bias have one where this field says so: those trained with the sigmoid loss. */
const BIAS = { logit_bias_init_value: z.number().optional() };

const dualSchema = configSchema({
  ...OPTIONS,
  ...LEARNED,
  ...BIAS,
  projection_dim: size().default(512),
  logit_scale_init_value: z.number().default(2.6592),
  vision_config: towerConfig.required({ model_type: true }),
  text_config: towerConfig.required({ model_type: true }),
});

const clipSchema = configSchema({
  ...LEARNED,
  ...BIAS,
  projection_dim: size().default(512),
  logit_scale_init_value: z.number().default(2.6592),
  initializer_factor: noEffect(),
  vision_config: towerConfig.default({}),
  text_config: towerConfig.default({}),
  vision_config_dict: towerConfig.nullish(),
  text_config_dict: towerConfig.nullish(),
});

const siglipSchema = configSchema({
  ...LEARNED,
  initializer_factor: noEffect(),
  vision_config: towerConfig.default({}),
  text_config: towerConfig.default({}),
});

/** What the dual encoder is built from, whatever kind of file it came from. */
export interface DualEncoderConfig {
  readonly kind: 'vision-text-dual-encoder' | 'clip' | 'siglip';
  readonly vision_config: Readonly<Record<string, unknown>>;
  readonly text_config: Readonly<Record<string, unknown>>;
  readonly projection_dim: number;
  readonly projection_head: 'linear' | 'residual' | 'none';
  readonly projection_dropout: number;
  readonly text_pooling: 'pooler' | 'cls' | 'mean';
  readonly logit_scale_init_value: number;
  /** Undefined: the model has no logit_bias. */
  readonly logit_bias_init_value?: number;
}

/** @throws ClipError CONFIG_INVALID */
export function parseDualEncoderConfig(json: unknown): DualEncoderConfig {
  const type =
    typeof json === 'object' && json !== null && 'model_type' in json ? json.model_type : undefined;
  if (type === 'clip') {
    const config = parseConfigWith(clipSchema, 'clip', json);
    return {
      kind: 'clip',
      // The deprecated *_config_dict, where there is one, is the one that transformers obeys.
      vision_config: {
        ...(config.vision_config_dict ?? config.vision_config),
        model_type: 'clip_vision_model',
      },
      text_config: { ...(config.text_config_dict ?? config.text_config), model_type: 'clip_text_model' },
      projection_dim: config.projection_dim,
      projection_head: 'linear',
      projection_dropout: 0,
      text_pooling: 'pooler',
      logit_scale_init_value: config.logit_scale_init_value,
      logit_bias_init_value: config.logit_bias_init_value,
    };
  }
  if (type === 'siglip') {
    const config = parseConfigWith(siglipSchema, 'siglip', json);
    return {
      kind: 'siglip',
      vision_config: { ...config.vision_config, model_type: 'siglip_vision_model' },
      text_config: { ...config.text_config, model_type: 'siglip_text_model' },
      projection_dim: 0,
      projection_head: 'none',
      projection_dropout: 0,
      text_pooling: 'pooler',
      logit_scale_init_value: 0,
      logit_bias_init_value: 0,
    };
  }
  const { vision_config, text_config, ...rest } = parseConfigWith(
    dualSchema.extend({ model_type: z.literal('vision-text-dual-encoder') }),
    'dual encoder',
    json,
  );
  return {
    kind: 'vision-text-dual-encoder',
    vision_config,
    text_config,
    projection_dim: rest.projection_dim,
    projection_head: rest.projection_head,
    projection_dropout: rest.projection_dropout,
    text_pooling: rest.text_pooling,
    logit_scale_init_value: rest.logit_scale_init_value,
    logit_bias_init_value: rest.logit_bias_init_value,
  };
}

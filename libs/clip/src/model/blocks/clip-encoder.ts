/**
 * The transformer encoder of CLIP (Radford et al. 2021) and SigLIP (Zhai et al. 2023), the same for images and
 * texts: pre-norm blocks. The two models differ in how they initialise it.
 * B batch, T tokens, D hidden_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import { requireConfig } from '../config/schema.js';
import { activation, wantedTokens, type Wanted } from '../ops/index.js';
import type { ForwardContext, Initializer, TensorSpec, Weights } from '../types.js';
import { layerNormLayer, layerNormSpecs, linearLayer, paramSpec } from '../weights/params.js';
import { selfAttention } from './self-attention.js';

/** The fields of a config that the encoder reads. */
export interface EncoderConfig {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly hidden_act: string;
  readonly layer_norm_eps: number;
  readonly attention_dropout: number;
}

/** How each kind of tensor starts. */
export interface EncoderInitializers {
  /** Projections to queries, keys and values. */
  readonly attentionIn: Initializer;
  readonly attentionOut: Initializer;
  readonly mlpIn: Initializer;
  readonly mlpOut: Initializer;
  readonly mlpBias: Initializer;
}

/** @throws ClipError CONFIG_INVALID */
export function checkHeads(name: string, { hidden_size, num_attention_heads }: EncoderConfig): void {
  requireConfig(
    hidden_size % num_attention_heads === 0,
    name,
    'hidden_size divisible by num_attention_heads',
    {
      hidden_size,
      num_attention_heads,
    },
  );
}

/** CLIP's initialisers; `factor` is the config's initializer_factor. */
export function clipInitializers(config: EncoderConfig, factor: number): EncoderInitializers {
  const D = config.hidden_size;
  const normal = (std: number) => ({ kind: 'normal', std: std * factor }) as const;
  const deep = D ** -0.5 * (2 * config.num_hidden_layers) ** -0.5;
  return {
    attentionIn: normal(deep),
    attentionOut: normal(D ** -0.5),
    mlpIn: normal((2 * D) ** -0.5),
    mlpOut: normal(deep),
    mlpBias: { kind: 'zeros' },
  };
}

/** SigLIP's initialisers. */
export function siglipInitializers({
  hidden_size: D,
  intermediate_size: F,
}: EncoderConfig): EncoderInitializers {
  return {
    attentionIn: xavierUniform(D, D),
    attentionOut: xavierUniform(D, D),
    mlpIn: xavierUniform(D, F),
    mlpOut: xavierUniform(F, D),
    mlpBias: { kind: 'normal', std: 1e-6 },
  };
}

/** Glorot & Bengio 2010. */
export function xavierUniform(fanIn: number, fanOut: number): Initializer {
  return { kind: 'uniform', bound: Math.sqrt(6 / (fanIn + fanOut)) };
}

/** Normal of variance 1 / fanIn, truncated at two standard deviations (LeCun et al. 1998, as in JAX). */
export function lecunNormal(fanIn: number): Initializer {
  const std = Math.sqrt(1 / fanIn) / 0.87962566103423978;
  return { kind: 'truncatedNormal', std, limit: 2 * std };
}

/** `<prefix>.layers.…` */
export function encoderSpecs(prefix: string, config: EncoderConfig, init: EncoderInitializers): TensorSpec[] {
  const { hidden_size: D, num_hidden_layers } = config;
  const dense = (
    name: string,
    shape: [number, number],
    weight: Initializer,
    bias: Initializer = { kind: 'zeros' },
  ) => [paramSpec(`${name}.weight`, shape, weight), paramSpec(`${name}.bias`, [shape[0]], bias)];
  return Array.from({ length: num_hidden_layers }, (_, i) => `${prefix}.layers.${i}`).flatMap((layer) => [
    ...layerNormSpecs(`${layer}.layer_norm1`, D),
    ...['q_proj', 'k_proj', 'v_proj'].flatMap((name) =>
      dense(`${layer}.self_attn.${name}`, [D, D], init.attentionIn),
    ),
    ...dense(`${layer}.self_attn.out_proj`, [D, D], init.attentionOut),
    ...layerNormSpecs(`${layer}.layer_norm2`, D),
    ...mlpSpecs(`${layer}.mlp`, config, init),
  ]);
}

/** `<name>.fc1` and `<name>.fc2`. */
export function mlpSpecs(
  name: string,
  { hidden_size: D, intermediate_size: F }: EncoderConfig,
  init: EncoderInitializers,
): TensorSpec[] {
  return [
    paramSpec(`${name}.fc1.weight`, [F, D], init.mlpIn),
    paramSpec(`${name}.fc1.bias`, [F], init.mlpBias),
    paramSpec(`${name}.fc2.weight`, [D, F], init.mlpOut),
    paramSpec(`${name}.fc2.bias`, [D], init.mlpBias),
  ];
}

/** x [..., D] → [..., D] */
export function mlp(weights: Weights, name: string, config: EncoderConfig, x: tf.Tensor): tf.Tensor {
  const inner = activation(config.hidden_act)(linearLayer(weights, `${name}.fc1`, x));
  return linearLayer(weights, `${name}.fc2`, inner);
}

/**
 * All blocks: x [B, T, D] → [B, T, D], or [B, 1, D] when only the first token is wanted (which no mask of queries fits).
 */
export function encode(
  weights: Weights,
  prefix: string,
  config: EncoderConfig,
  x: tf.Tensor,
  mask: tf.Tensor | undefined,
  ctx: ForwardContext,
  wanted: Wanted = 'all tokens',
): tf.Tensor {
  const { num_attention_heads: numHeads, attention_dropout: dropoutRate, layer_norm_eps } = config;
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `${prefix}.layers.${i}`;
    const wantedHere = i === config.num_hidden_layers - 1 ? wanted : 'all tokens';
    const normed = layerNormLayer(weights, `${layer}.layer_norm1`, x, layer_norm_eps);
    const context = selfAttention(
      weights,
      {
        query: `${layer}.self_attn.q_proj`,
        key: `${layer}.self_attn.k_proj`,
        value: `${layer}.self_attn.v_proj`,
      },
      normed,
      { numHeads, mask, dropoutRate },
      ctx,
      wantedHere,
    );
    const middle = tf.add(
      wantedTokens(x, wantedHere),
      linearLayer(weights, `${layer}.self_attn.out_proj`, context),
    );
    const inner = layerNormLayer(weights, `${layer}.layer_norm2`, middle, layer_norm_eps);
    x = tf.add(middle, mlp(weights, `${layer}.mlp`, config, inner));
  }
  return x;
}

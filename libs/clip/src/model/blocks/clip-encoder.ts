/**
 * The transformer encoder of CLIP (Radford et al. 2021) and SigLIP (Zhai et al. 2023), the same for images and
 * texts: pre-norm blocks. The two models differ in how they initialise it.
 * B batch, T tokens, D hidden_size, F intermediate_size.
 */
import type { z } from 'zod';
import * as field from '../config/schema.js';
import {
  layer,
  layerNorm,
  linear,
  normal,
  xavierUniform,
  ZEROS,
  type Layer,
  type Unary,
} from '../layers/index.js';
import type { Initializer } from '../types.js';
import { mlp } from './feed-forward.js';
import { blockStack } from './gradient-checkpointing.js';
import { preNormBlock, runBlocks, type Block } from './transformer.js';

/** The keys of a config that the encoder reads, by default with the sizes of ViT-B. */
export const encoderKeys = (defaults: { activation: string; epsilon: number }) => ({
  ...field.transformerSizes(),
  intermediate_size: field.size().default(3072),
  hidden_act: field.activationName().default(defaults.activation),
  layer_norm_eps: field.epsilon().default(defaults.epsilon),
  attention_dropout: field.rate().default(0),
});

export type EncoderConfig = z.output<z.ZodObject<ReturnType<typeof encoderKeys>>>;

/** How each kind of tensor starts. */
export interface EncoderInitializers {
  /** Projections to queries, keys and values. */
  readonly attentionIn: Initializer;
  readonly attentionOut: Initializer;
  readonly mlpIn: Initializer;
  readonly mlpOut: Initializer;
  readonly mlpBias: Initializer;
}

/** CLIP's initialisers; `factor` is the config's initializer_factor. */
export function clipInitializers(config: EncoderConfig, factor: number): EncoderInitializers {
  const { hidden_size: D, num_hidden_layers: L } = config;
  const deep = normal(D ** -0.5 * (2 * L) ** -0.5 * factor);
  return {
    attentionIn: deep,
    attentionOut: normal(D ** -0.5 * factor),
    mlpIn: normal((2 * D) ** -0.5 * factor),
    mlpOut: deep,
    mlpBias: ZEROS,
  };
}

/** SigLIP's initialisers. */
export function siglipInitializers(config: EncoderConfig): EncoderInitializers {
  const { hidden_size: D, intermediate_size: F } = config;
  return {
    attentionIn: xavierUniform(D, D),
    attentionOut: xavierUniform(D, D),
    mlpIn: xavierUniform(D, F),
    mlpOut: xavierUniform(F, D),
    mlpBias: normal(1e-6),
  };
}

/** All blocks: x [B, T, D] → [B, T, D], or [B, 1, D] when the first position's output is all that is read. */
export function clipEncoder(config: EncoderConfig, init: EncoderInitializers): Layer<Block> {
  return layer(
    { layers: blockStack(config.num_hidden_layers, () => encoderLayer(config, init)) },
    ({ layers }) =>
      (x, ctx, mask) =>
        runBlocks(layers, x, ctx, mask),
  );
}

function encoderLayer(config: EncoderConfig, init: EncoderInitializers): Layer<Block> {
  const { hidden_size: D, layer_norm_eps: eps, num_attention_heads, attention_dropout } = config;
  return layer(
    {
      layer_norm1: layerNorm(D, eps),
      self_attn: {
        q_proj: linear(D, D, init.attentionIn),
        k_proj: linear(D, D, init.attentionIn),
        v_proj: linear(D, D, init.attentionIn),
        out_proj: linear(D, D, init.attentionOut),
      },
      layer_norm2: layerNorm(D, eps),
      mlp: clipMlp(config, init),
    },
    ({ layer_norm1, self_attn, layer_norm2, mlp }) =>
      preNormBlock({
        projections: { query: self_attn.q_proj, key: self_attn.k_proj, value: self_attn.v_proj },
        numHeads: num_attention_heads,
        dropoutRate: attention_dropout,
        attended: self_attn.out_proj,
        attentionNorm: layer_norm1,
        feedForward: mlp,
        feedForwardNorm: layer_norm2,
      }),
  );
}

/** x [..., D] → [..., D] */
export function clipMlp(
  { hidden_size: D, intermediate_size: F, hidden_act }: EncoderConfig,
  { mlpIn, mlpOut, mlpBias }: EncoderInitializers,
): Layer<Unary> {
  return mlp(D, F, hidden_act, { fc1: mlpIn, fc2: mlpOut, bias: mlpBias });
}

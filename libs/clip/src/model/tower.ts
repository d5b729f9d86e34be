/**
 * What a tower is: from images or texts to hidden states and a pooled vector.
 * Letters here and in every tower: B batch, T tokens, D width, H heads, K head size, E embedding, P patches.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from './context.js';
import type { Layer } from './layers/index.js';
import type { TensorSpec, Weights } from './types.js';

/** What a tower gives. A tower without a pooler leaves `pooler_output` out. */
export interface TowerOutput {
  /** [B, T, D], or [B, D, h, w] for convolutional towers. */
  readonly last_hidden_state: tf.Tensor;
  /** [B, D] */
  readonly pooler_output?: tf.Tensor;
}

export interface VisionInputs {
  /** [B, 3, H, W] float, normalised. */
  readonly pixel_values: tf.Tensor;
}

export interface TextInputs {
  /** [B, T] int32 */
  readonly input_ids: tf.Tensor;
  /** [B, T] int32, 1 where there is a token; absent means all ones. */
  readonly attention_mask?: tf.Tensor;
}

export type Forward<Inputs> = (inputs: Inputs, ctx: ForwardContext) => TowerOutput;

/** One architecture: everything that its file defines. `Config` is the parsed config.json. */
export interface TowerDefinition<Config, Inputs> {
  /** The `model_type` values of config.json that it serves. */
  readonly modelTypes: readonly string[];
  /** The name under which transformers' task models hold the tower, e.g. `vit` in `vit.encoder…`. */
  readonly baseModelPrefix: string;
  /** @throws ClipError CONFIG_INVALID or MODEL_UNSUPPORTED, naming the option. */
  parseConfig(json: unknown): Config;
  /** Its tensors, named as in transformers, and its forward pass. */
  layer(config: Config): Layer<Forward<Inputs>>;
  /** Width of pooler_output, or of last_hidden_state where there is no pooler. */
  outputSize(config: Config): number;
  /** Tensors that checkpoints may bring and the tower does without, besides the known heads. */
  readonly droppable?: readonly string[];
  /** The image size that the config names, [height, width]; undefined when it names none. */
  imageSize?(config: Config): readonly [number, number];
  /** The most tokens that the tower takes. */
  maxTokens?(config: Config): number;
}

/** A tower with its configuration bound: what the dual encoder and the loader work with. */
export interface Tower<Inputs> {
  readonly modelType: string;
  readonly baseModelPrefix: string;
  readonly layer: Layer<Forward<Inputs>>;
  /** The layer's tensors by the tower's own names. */
  readonly specs: readonly TensorSpec[];
  readonly outputSize: number;
  readonly droppable: readonly string[];
  readonly imageSize?: readonly [number, number];
  readonly maxTokens?: number;
  /** The layer applied to weights by the tower's own names. */
  forward(weights: Weights, inputs: Inputs, ctx: ForwardContext): TowerOutput;
}

export type VisionTower = Tower<VisionInputs>;
export type TextTower = Tower<TextInputs>;

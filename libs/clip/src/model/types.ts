/**
 * The vocabulary of the model half: weights, their specification, a forward pass's context, towers.
 *
 * Letters: B batch, T tokens, D width, H heads, K head size, E embedding, P patches.
 * Weights carry the names of Hugging Face transformers and PyTorch's layouts
 * ([out, in] linear, [out, in, kh, kw] convolution), so that a file needs no conversion.
 */
import type * as tf from '@tensorflow/tfjs-core';

/** Parameter name → tensor. A tower gets names relative to itself; the dual encoder adds prefixes. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

/** A tensor in JavaScript memory: what is read from and written to files. */
export interface HostTensor {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
}

/** How a parameter starts when it is not loaded; the distributions that transformers uses. */
export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  | { readonly kind: 'constant'; readonly value: number }
  /** Normal with mean 0; row `zeroRow` (the padding token's) is 0. */
  | { readonly kind: 'normal'; readonly std: number; readonly zeroRow?: number }
  /** Normal with mean 0, redrawn outside [-limit, limit]; 2 is the default of torch's `trunc_normal_`. */
  | { readonly kind: 'truncatedNormal'; readonly std: number; readonly limit?: number }
  /** Uniform in [-bound, bound). */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** These numbers, row-major. */
  | { readonly kind: 'values'; readonly values: ArrayLike<number> };

/** One tensor of a model: parameters, and buffers that files carry. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Initializer;
  /** False for buffers (running statistics, index tables) and for parameters that no output uses. */
  readonly trainable: boolean;
  /** 'int64' tensors exist for the file only: no forward pass reads them. Default 'float32'. */
  readonly dtype?: 'float32' | 'int64';
}

/** What a forward pass needs besides weights and inputs. Make one per pass with `createContext`. */
export interface ForwardContext {
  /** True turns on dropout, attention dropout and drop path. */
  readonly training: boolean;
  /** Int32 scalar that drives the random masks; the same seed gives the same masks. Needed in training. */
  readonly seed?: tf.Tensor;
  /** True: towers run in evaluation mode, the heads as `training` says. */
  readonly frozenTowers: boolean;
  /** 'training': batch norm uses the batch's statistics and reports new running statistics. */
  readonly batchNorm: 'evaluation' | 'training';
  /**
   * True: the caller reads pooler_output or the first token, nothing else. Blocks mix tokens in their attention only, so
   * a tower that pools its first token computes the rest of its last block for that token alone, and its
   * last_hidden_state is [B, 1, D]. Values and gradients of what is read stay the same.
   */
  readonly firstTokenOnly: boolean;
  /** Overrides the momentum of the architecture (torch's sense), in (0, 1]. */
  readonly batchNormMomentum?: number;
  /** Random masks drawn so far: each takes the next number as its salt. */
  masks: number;
  /** New running statistics by tensor name, filled by batch norm in training mode. */
  readonly statistics: Record<string, tf.Tensor>;
}

/** The default is evaluation: no dropout, running statistics. */
export function createContext(
  options: Partial<
    Pick<
      ForwardContext,
      'training' | 'seed' | 'frozenTowers' | 'batchNorm' | 'batchNormMomentum' | 'firstTokenOnly'
    >
  > = {},
): ForwardContext {
  const {
    training = false,
    frozenTowers = false,
    batchNorm = 'evaluation',
    firstTokenOnly = false,
    ...rest
  } = options;
  return { ...rest, training, frozenTowers, batchNorm, firstTokenOnly, masks: 0, statistics: {} };
}

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

/** One architecture: everything that its file defines. `Config` is the parsed config.json. */
export interface TowerDefinition<Config, Inputs> {
  /** The `model_type` values of config.json that it serves. */
  readonly modelTypes: readonly string[];
  /** The name under which transformers' task models hold the tower, e.g. `vit` in `vit.encoder…`. */
  readonly baseModelPrefix: string;
  /** @throws ClipError CONFIG_INVALID or MODEL_UNSUPPORTED, naming the option. */
  parseConfig(json: unknown): Config;
  tensorSpecs(config: Config): TensorSpec[];
  forward(weights: Weights, config: Config, inputs: Inputs, ctx: ForwardContext): TowerOutput;
  /** Width of pooler_output, or of last_hidden_state where there is no pooler. */
  outputSize(config: Config): number;
  /** Tensors of task checkpoints that a tower can do without, besides the known heads. */
  readonly droppable?: RegExp;
  /** Parameters that a checkpoint may lack (absent poolers); they are initialised with a warning. */
  readonly optional?: RegExp;
  /** The image size that the config names, [height, width]; undefined when it names none. */
  imageSize?(config: Config): readonly [number, number];
  /** The most tokens that the tower takes. */
  maxTokens?(config: Config): number;
}

/** A tower with its configuration bound: what the dual encoder and the loader work with. */
export interface Tower<Inputs> {
  readonly modelType: string;
  readonly baseModelPrefix: string;
  readonly specs: readonly TensorSpec[];
  readonly outputSize: number;
  readonly droppable?: RegExp;
  readonly optional?: RegExp;
  readonly imageSize?: readonly [number, number];
  readonly maxTokens?: number;
  forward(weights: Weights, inputs: Inputs, ctx: ForwardContext): TowerOutput;
}

export type VisionTower = Tower<VisionInputs>;
export type TextTower = Tower<TextInputs>;

/**
 * The tensors of a model: by name, in JavaScript memory, and as a specification.
 * Weights carry the names of Hugging Face transformers and PyTorch's layouts
 * ([out, in] linear, [out, in, kh, kw] convolution), so that a file needs no conversion.
 */
import type * as tf from '@tensorflow/tfjs-core';

/** Parameter name → tensor. */
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
  /** In the file; 'int64' tensors are int32 everywhere else. Default 'float32'. */
  readonly dtype?: 'float32' | 'int64';
  /** True: a checkpoint may lack it; it is then initialised, with a warning. */
  readonly optional?: true;
}

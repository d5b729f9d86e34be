/**
 * What runs a training step, whatever the backend. A program is a pure function of tensors, (state, inputs) → (new
 * state, outputs); a runner owns the state and applies the program to it. On the onnxruntime backend the program is
 * compiled once for each set of input shapes and replayed; elsewhere it runs op by op.
 */
import type { NamedTensorMap } from '@tensorflow/tfjs-core';

/** A tensor in JavaScript memory. */
export interface HostTensor {
  data: Float32Array | Int32Array;
  shape: readonly number[];
  dtype: 'float32' | 'int32';
}

export type HostTensors = Record<string, HostTensor>;

export interface ProgramResult {
  state: NamedTensorMap;
  outputs: NamedTensorMap;
}

/**
 * Must be pure: no reading of tensor values, no outside tensors, no randomness but from its inputs. State that it does
 * not return stays as it is.
 */
export type Program = (state: NamedTensorMap, inputs: NamedTensorMap) => ProgramResult;

export interface Runner {
  /** Applies the program once. Which inputs are given selects what the program does. */
  run(inputs: HostTensors): Promise<HostTensors>;
  /** Copies of the named state tensors; of all by default. */
  readState(names?: readonly string[]): Promise<HostTensors>;
  dispose(): void;
}

export const float32 = (data: Float32Array, shape: readonly number[]): HostTensor => ({
  data,
  shape,
  dtype: 'float32',
});
export const int32 = (data: Int32Array, shape: readonly number[]): HostTensor => ({
  data,
  shape,
  dtype: 'int32',
});
export const scalar = (value: number): HostTensor => float32(Float32Array.of(value), []);
export const intScalar = (value: number): HostTensor => int32(Int32Array.of(value), []);

/** The number in a one-element float tensor. */
export const numberOf = ({ data }: HostTensor): number => data[0]!;

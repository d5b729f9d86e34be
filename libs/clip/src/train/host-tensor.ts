/** Tensors in JavaScript memory, and their way to and from the current TensorFlow.js backend. */
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../model/index.js';

/** By name: weights, the state of a program, the inputs of a step. */
export type HostTensors = Record<string, HostTensor>;

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

/** The number in a one-element tensor. */
export const numberOf = ({ data }: HostTensor): number => data[0]!;

/** Tensors on the current backend, which may use the arrays as they are: do not write to them. The caller disposes. */
export const toTensors = (tensors: Readonly<HostTensors>): tf.NamedTensorMap =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data, shape, dtype }]) => [
      name,
      tf.tensor(data, [...shape], dtype),
    ]),
  );

/** Copies of tensors, which stay where they are. */
export async function toHostTensors(tensors: tf.NamedTensorMap): Promise<HostTensors> {
  const entries = Object.entries(tensors).map(async ([name, tensor]) => {
    const data = await tensor.data<'float32' | 'int32'>();
    const dtype = tensor.dtype === 'int32' ? 'int32' : 'float32';
    // The plain JavaScript backend gives the tensor's own array.
    return [name, { data: data.slice(), shape: [...tensor.shape], dtype }] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** [B₁, E], [B₂, E], … → [ΣB, E] */
export function concatenateRows(tensors: readonly HostTensor[]): HostTensor {
  const width = tensors[0]!.shape[1]!;
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0));
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  return float32(data, [data.length / width, width]);
}

/** Rows `start` … `start + rows − 1` of an [N, E] tensor. */
export function sliceRows({ data, shape }: HostTensor, start: number, rows: number): HostTensor {
  const width = shape[1]!;
  return float32((data as Float32Array).slice(start * width, (start + rows) * width), [rows, width]);
}

/** The first rows of an [N, E] tensor, all by default, as one array each. */
export function splitRows({ data, shape }: HostTensor, rows = shape[0]!): Float32Array[] {
  const width = shape[1]!;
  return Array.from({ length: rows }, (_, row) =>
    (data as Float32Array).slice(row * width, (row + 1) * width),
  );
}

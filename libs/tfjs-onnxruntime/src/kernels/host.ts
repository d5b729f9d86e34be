/**
 * Kernels computed in JavaScript on the host: results whose shape depends on the contents (unique, non-maximum
 * suppression, sparse and ragged rows), random draws, strings. Each runs what is pending first, so none of them can be
 * part of a traced function that depends on its inputs.
 */
import type * as tf from '@tensorflow/tfjs-core';
import type { OnnxRuntimeBackend } from '../backend/backend.js';
import { EngineError } from '../errors.js';
import { materialised } from '../graph/value.js';
import { defineRaw, type KernelDefinition } from './define.js';

/** The element types of TensorFlow.js that are numbers. */
export type NumberArray = Float32Array | Int32Array | Uint8Array;
export type NumberType = 'float32' | 'int32' | 'bool';

/** A tensor's contents on the host. The dtype says which of `data` and `strings` is used. */
export interface HostTensor {
  dtype: tf.DataType;
  shape: number[];
  data: NumberArray;
  /** Encoded UTF-8, for dtype string. */
  strings: Uint8Array[];
}

export type HostResult =
  | { dtype: NumberType; shape: number[]; data: NumberArray }
  | { dtype: 'string'; shape: number[]; strings: Uint8Array[] };

const NO_DATA = new Float32Array(0);

/** The contents of a tensor; not to be written to. */
export function readHost(info: tf.TensorInfo, backend: OnnxRuntimeBackend, kernel: string): HostTensor {
  if (info.dtype === 'string') {
    const strings = backend.readSync(info.dataId) as Uint8Array[];
    return { dtype: 'string', shape: info.shape, data: NO_DATA, strings };
  }
  const data = backend.contentsOf(backend.graphValue(info, kernel)) as NumberArray;
  return { dtype: info.dtype, shape: info.shape, data, strings: [] };
}

export function writeHost(result: HostResult, backend: OnnxRuntimeBackend): tf.TensorInfo {
  if (result.dtype === 'string') return backend.makeStrings(result.strings, result.shape);
  return backend.makeTensor(materialised(result.dtype, result.shape, result.data));
}

/** A kernel with named inputs (`K`), computed on the host. */
export function defineHost<K extends string, A = unknown>(
  name: string,
  compute: (inputs: Record<K, HostTensor>, attrs: A) => HostResult | HostResult[],
): KernelDefinition {
  return defineRaw(name, (infos, attrs, backend) => {
    const inputs: Record<string, HostTensor> = {};
    for (const key in infos) if (infos[key]) inputs[key] = readHost(infos[key], backend, name);
    const result = compute(inputs, attrs as A);
    return Array.isArray(result) ? result.map((one) => writeHost(one, backend)) : writeHost(result, backend);
  });
}

export const floats = (data: ArrayLike<number>, shape: number[]): HostResult => ({
  dtype: 'float32',
  shape,
  data: data instanceof Float32Array ? data : Float32Array.from(data),
});
export const ints = (data: ArrayLike<number>, shape: number[] = [data.length]): HostResult => ({
  dtype: 'int32',
  shape,
  data: data instanceof Int32Array ? data : Int32Array.from(data),
});

/** An array of the same element type. */
export function arrayLike(type: tf.DataType, length: number, kernel: string): NumberArray {
  if (type === 'float32') return new Float32Array(length);
  if (type === 'int32') return new Int32Array(length);
  if (type === 'bool') return new Uint8Array(length);
  throw new EngineError('UNSUPPORTED_DTYPE', `this kernel does not make ${type} tensors.`, { kernel });
}

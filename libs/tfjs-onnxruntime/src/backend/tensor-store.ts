/**
 * What the backend keeps for its tensors, with reference counts, and which pending values some tensor still holds.
 * Disposing a tensor is always safe: pending nodes hold the values they read, not the tensors.
 */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { sizeOf } from '../graph/shape.js';
import { allocate, materialised, type Value } from '../graph/value.js';

/** A value, or host data for types that ONNX graphs do not carry. */
interface Entry {
  dtype: tf.DataType;
  refCount: number;
  value?: Value;
  strings?: Uint8Array[];
  complex?: ComplexParts;
}

export interface ComplexParts {
  real: tf.TensorInfo;
  imag: tf.TensorInfo;
}

export class TensorStore {
  readonly #tensors: tf.DataStorage<Entry>;
  /** Pending values that some tensor holds, with the number of tensors. */
  readonly #live = new Map<Value, number>();

  constructor(backend: tf.KernelBackend) {
    this.#tensors = new tf.DataStorage<Entry>(backend, tf.engine());
  }

  /**
   * Copies `values` (zeros when null): recorded work must not see later changes of the caller's array.
   * @param literal a single element is a number that the recorded ops may be simplified by
   */
  write(
    dataId: tf.DataId,
    values: tf.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
    literal: boolean,
  ): void {
    if (dtype === 'string') {
      this.#tensors.set(dataId, { dtype, refCount, strings: values as Uint8Array[] });
      return;
    }
    if (dtype === 'complex64') {
      throw new EngineError(
        'UNSUPPORTED_DTYPE',
        'complex64 tensors are made from a real and an imaginary part.',
        { hint: 'Use tf.complex(real, imag).' },
      );
    }
    const data = allocate(dtype, sizeOf(shape));
    if (values !== null) (data as Float32Array).set(values as Float32Array);
    const uniform = literal && data.length === 1 ? Number(data[0]) : undefined;
    this.#tensors.set(dataId, { dtype, refCount, value: materialised(dtype, shape, data, uniform) });
  }

  /** A tensor for a value that a kernel recorded. */
  addValue(value: Value, dtype: tf.DataType): tf.TensorInfo {
    const dataId = {};
    this.#tensors.set(dataId, { dtype, refCount: 1, value });
    if (value.producer !== undefined) this.#live.set(value, (this.#live.get(value) ?? 0) + 1);
    return { dataId, shape: [...value.shape], dtype };
  }

  /** A complex64 tensor, which owns its two parts from now on. */
  addComplex(parts: ComplexParts): tf.TensorInfo {
    const dataId = {};
    this.#tensors.set(dataId, { dtype: 'complex64', refCount: 1, complex: parts });
    return { dataId, shape: [...parts.real.shape], dtype: 'complex64' };
  }

  /** @throws EngineError UNKNOWN_TENSOR */
  get(dataId: tf.DataId): Readonly<Entry> {
    return this.#entry(dataId);
  }

  #entry(dataId: tf.DataId): Entry {
    if (!this.#tensors.has(dataId)) {
      throw new EngineError(
        'UNKNOWN_TENSOR',
        'the tensor is not known to this backend; it may have been disposed.',
      );
    }
    return this.#tensors.get(dataId);
  }

  /** 0 for tensors that are not known. */
  refCount(dataId: tf.DataId): number {
    return this.#tensors.has(dataId) ? this.#tensors.get(dataId).refCount : 0;
  }

  incRef(dataId: tf.DataId): void {
    this.#entry(dataId).refCount++;
  }

  /**
   * Drops one reference; with the last one, or when forced, the tensor is disposed of.
   * @returns whether it was
   */
  dispose(dataId: tf.DataId, force: boolean): boolean {
    if (!this.#tensors.has(dataId)) return true;
    const entry = this.#tensors.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    if (entry.value) this.#release(entry.value);
    if (entry.complex) {
      this.dispose(entry.complex.real.dataId, force);
      this.dispose(entry.complex.imag.dataId, force);
    }
    this.#tensors.delete(dataId);
    return true;
  }

  #release(value: Value): void {
    const count = this.#live.get(value);
    if (count === undefined) return;
    if (count === 1) this.#live.delete(value);
    else this.#live.set(value, count - 1);
  }

  get size(): number {
    return this.#tensors.numDataIds();
  }

  /** Values that wait to be computed and that some tensor holds. */
  pendingValues(): Value[] {
    const pending = [...this.#live.keys()].filter(({ producer }) => producer !== undefined);
    if (pending.length < this.#live.size) {
      for (const value of this.#live.keys()) if (value.producer === undefined) this.#live.delete(value);
    }
    return pending;
  }

  clear(): void {
    this.#live.clear();
  }
}

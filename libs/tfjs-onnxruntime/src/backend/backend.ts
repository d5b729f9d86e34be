/**
 * The TensorFlow.js backend "onnxruntime". Kernels record nodes; reading a tensor computes everything that a tensor
 * which is alive waits for, in one graph. Nodes that only disposed tensors needed never run.
 */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { reshape } from '../graph/layout.js';
import { order } from '../graph/order.js';
import { sameShape } from '../graph/shape.js';
import { latestValueId, type Value } from '../graph/value.js';
import type { SessionOptions } from '../session/ort.js';
import { threadOptions } from '../session/threads.js';
import { GraphRunner } from './graph-runner.js';
import { TensorStore, type ComplexParts } from './tensor-store.js';

/** The backend's name for `tf.setBackend`. */
export const BACKEND_NAME = 'onnxruntime';

/** The trace that is being recorded: its tensors are symbolic. */
export interface TraceScope {
  /** Shown in errors. */
  name: string;
  /** Record the fused ops of the native addon: the graph will run there. */
  native: boolean;
  /** Record no loops: the graph will run on a device, where blocks that fit a cache gain nothing and loops cost a lot. */
  wholeTensors?: boolean;
}

/** For {@link registerOnnxRuntimeBackend}. */
export interface BackendOptions {
  /** Compiled eager graphs that are kept; the least recently used is released first. Default 64. */
  sessionCapacity?: number;
  /** Handed to ONNX Runtime as they are. */
  sessionOptions?: SessionOptions;
}

/** Values recorded before the pending graph runs by itself: bounds the memory of loops that never read. */
const MAX_PENDING_VALUES = 8192;

/** TensorFlow.js talks to it; programs need only its name. */
export class OnnxRuntimeBackend extends tf.KernelBackend {
  readonly #tensors: TensorStore;
  readonly runner: GraphRunner;
  /** Values whose ops have failed: computed again only when they are read. */
  readonly #failed = new WeakSet<Value>();
  #flushedAt = 0;
  #trace: TraceScope | undefined;

  constructor({ sessionCapacity = 64, sessionOptions = {} }: BackendOptions = {}) {
    super();
    this.#tensors = new TensorStore(this);
    this.runner = new GraphRunner(sessionCapacity, { ...threadOptions(), ...sessionOptions });
  }

  // ── tensors ────────────────────────────────────────────────────────────────────────────────────────────────

  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: tf.DataId,
    values: tf.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    // Inside a trace, a number that JavaScript made is a constant of the graph.
    this.#tensors.write(dataId, values, shape, dtype, refCount, this.#trace !== undefined);
  }

  /** A tensor for a value that a kernel recorded. */
  makeTensor(value: Value, dtype: tf.DataType = value.type as tf.DataType): tf.TensorInfo {
    return this.#tensors.addValue(value, dtype);
  }

  makeStrings(strings: Uint8Array[], shape: number[]): tf.TensorInfo {
    return { dataId: this.write(strings, shape, 'string'), shape, dtype: 'string' };
  }

  makeComplex(real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    return this.#tensors.addComplex({ real, imag });
  }

  complexParts(info: tf.TensorInfo): ComplexParts {
    return this.#tensors.get(info.dataId).complex!;
  }

  /** The graph value behind a tensor. @throws EngineError for string and complex64 tensors */
  graphValue(info: tf.TensorInfo, kernel?: string): Value {
    const { value, dtype } = this.#tensors.get(info.dataId);
    if (value === undefined) {
      throw new EngineError('UNSUPPORTED_DTYPE', `this kernel does not take ${dtype} tensors.`, {
        kernel,
        shapes: [info.shape],
        dtypes: [dtype],
        hint: 'Run it on another backend: tf.setBackend("cpu").',
      });
    }
    return sameShape(value.shape, info.shape) ? value : reshape(value, info.shape);
  }

  override refCount(dataId: tf.DataId): number {
    return this.#tensors.refCount(dataId);
  }

  override incRef(dataId: tf.DataId): void {
    this.#tensors.incRef(dataId);
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    return this.#tensors.dispose(dataId, force);
  }

  override numDataIds(): number {
    return this.#tensors.size;
  }

  override memory(): { unreliable: boolean; reasons?: string[] } {
    return { unreliable: false };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  // ── reading ────────────────────────────────────────────────────────────────────────────────────────────────

  override async read(dataId: tf.DataId): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  /** A copy of the tensor's contents; runs what is pending. */
  override readSync(dataId: tf.DataId): tf.BackendValues {
    const { value, strings, complex } = this.#tensors.get(dataId);
    if (strings) return strings;
    if (complex) {
      const real = this.readSync(complex.real.dataId) as Float32Array;
      const imag = this.readSync(complex.imag.dataId) as Float32Array;
      return tf.backend_util.mergeRealAndImagArrays(real, imag);
    }
    return this.contentsOf(value!).slice() as Float32Array;
  }

  /** The contents of a value, computed if need be. Do not write to them. */
  contentsOf(value: Value): NonNullable<Value['data']> {
    if (value.data === undefined) {
      if (this.#trace) this.#assertConstant(value, this.#trace);
      else this.#computePending([value]);
      // If that failed, compute it alone: the error thrown is then its own.
      if (value.data === undefined) this.#compute([value]);
    }
    return value.data!;
  }

  #assertConstant(value: Value, { name }: TraceScope): void {
    const symbolic = order([value]).leaves.find((leaf) => leaf.placeholder !== undefined);
    if (symbolic === undefined) return;
    throw new EngineError(
      'READ_DURING_TRACE',
      `${name} is being traced: a tensor that depends on its input "${symbolic.placeholder}" has no contents yet.`,
      {
        kernel: value.producer?.kernel,
        shapes: [value.shape],
        dtypes: [value.type],
        hint: 'Return it as an output instead of reading it inside the function.',
      },
    );
  }

  /** Whether kernels may record ops of the native addon. */
  get recordsNative(): boolean {
    return this.#trace?.native ?? false;
  }

  /** Whether kernels may record loops over blocks of rows. */
  get recordsLoops(): boolean {
    return this.#trace?.wholeTensors !== true;
  }

  #compute(values: readonly Value[]): void {
    this.runner.compute(values);
    if (!this.#trace) this.#flushedAt = latestValueId();
  }

  /** Runs everything that a live tensor waits for. An op that fails throws when its result is read. */
  flush(): void {
    this.#computePending();
  }

  /**
   * Computes `wanted` and what live tensors wait for. If that fails, computes each value by itself: an op that failed
   * must not make reading the others fail, now or later.
   */
  #computePending(wanted: readonly Value[] = []): void {
    const pending = this.#tensors.pendingValues().filter((value) => !this.#failed.has(value));
    const together = [...new Set([...pending, ...wanted])];
    try {
      this.#compute(together);
    } catch {
      for (const value of pending) this.#computeOrSetAside(value);
    }
  }

  #computeOrSetAside(value: Value): void {
    if (value.data !== undefined) return;
    try {
      this.#compute([value]);
    } catch {
      this.#failed.add(value);
    }
  }

  /** Called after each kernel: bounds the work that loops which never read can pile up. */
  afterKernel(): void {
    if (!this.#trace && latestValueId() - this.#flushedAt > MAX_PENDING_VALUES) this.flush();
  }

  // ── tracing ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs `body` with symbolic tensors allowed; what was pending before runs first and becomes constant. */
  trace<T>(scope: TraceScope, body: () => T): T {
    if (this.#trace) {
      throw new EngineError(
        'BAD_STATE',
        `${scope.name} cannot be traced inside the trace of ${this.#trace.name}.`,
      );
    }
    this.flush();
    this.#trace = scope;
    try {
      return body();
    } finally {
      this.#trace = undefined;
    }
  }

  // ── timing ─────────────────────────────────────────────────────────────────────────────────────────────────

  override timerAvailable(): boolean {
    return true;
  }

  override async time(f: () => void): Promise<tf.BackendTimingInfo> {
    this.flush();
    const started = performance.now();
    f();
    this.flush();
    return { kernelMs: performance.now() - started };
  }

  override dispose(): void {
    this.#tensors.clear();
    this.runner.sessions.clear();
  }
}

/**
 * The TensorFlow.js backend "onnxruntime". Kernels record nodes; reading a tensor compiles what is pending to one
 * ONNX graph (once per structure) and runs it. Every tensor that is alive then gets its data, so no node runs twice
 * and the recorded graph is garbage afterwards; nodes that only disposed tensors needed never run.
 *
 * Disposing a tensor is always safe: pending nodes hold the values they read, not the tensors.
 */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from './errors.js';
import { fuse } from './graph/fuse.js';
import { order, structureKey, type OrderedGraph } from './graph/order.js';
import { reshape } from './graph/ops.js';
import { sameShape } from './graph/shape.js';
import { allocate, latestValueId, materialised, sizeOf, type Value } from './graph/value.js';
import { encodeModel } from './onnx/encode.js';
import { modelMessage } from './onnx/model.js';
import { SessionCache, type CompiledGraph } from './session/cache.js';
import { OrtSession, type HostArray, type SessionOptions } from './session/ort.js';

export const BACKEND_NAME = 'onnxruntime';

/** What the backend keeps for a tensor: a value, or host data for types that ONNX graphs do not carry. */
interface Entry {
  dtype: tf.DataType;
  refCount: number;
  value?: Value;
  strings?: Uint8Array[];
  complex?: { real: tf.TensorInfo; imag: tf.TensorInfo };
}

/** While a function is traced its tensors are symbolic; `reads` says what may still be read. */
export interface TraceScope {
  name: string;
}

export interface BackendOptions {
  /** Compiled graphs kept; the least recently used is released first. Default 64. */
  sessionCapacity?: number;
  /** Values recorded before the pending graph runs by itself. Default 8192. */
  maxPendingValues?: number;
  sessionOptions?: SessionOptions;
}

/**
 * Work that one thread finishes before others would have woken up. Sessions for it get no thread pool, whose threads
 * take longer to start than such a graph to run, and spin while they wait.
 */
const SMALL_GRAPH_ELEMENTS = 65_536;

function isSmall({ nodes, leaves }: OrderedGraph): boolean {
  let elements = 0;
  for (const { shape } of leaves) elements += sizeOf(shape);
  for (const { outputs } of nodes) for (const { shape } of outputs) elements += sizeOf(shape);
  return elements < SMALL_GRAPH_ELEMENTS;
}

export class OnnxRuntimeBackend extends tf.KernelBackend {
  readonly #tensors: tf.DataStorage<Entry>;
  /** Pending values that some tensor holds, with the number of tensors. */
  readonly #live = new Map<Value, number>();
  readonly sessions: SessionCache;
  readonly sessionOptions: SessionOptions;
  readonly counters = { runs: 0, runMs: 0, compileMs: 0, traceMs: 0 };
  #maxPending: number;
  #flushedAt = 0;
  #trace: TraceScope | undefined;
  lastGraph: CompiledGraph | undefined;

  constructor(options: BackendOptions = {}) {
    super();
    this.#tensors = new tf.DataStorage<Entry>(this, tf.engine());
    this.sessions = new SessionCache(options.sessionCapacity ?? 64);
    this.sessionOptions = options.sessionOptions ?? {};
    this.#maxPending = options.maxPendingValues ?? 8192;
  }

  // ── tensors ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Copies `values`: recorded work must not see later changes of the caller's array. */
  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.#store(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: tf.DataId,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.#store(dataId, values, shape, dtype, refCount);
  }

  #store(
    dataId: tf.DataId,
    values: tf.BackendValues | null,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    if (dtype === 'string') {
      this.#tensors.set(dataId, { dtype, refCount, strings: values as Uint8Array[] });
      return;
    }
    if (dtype === 'complex64') {
      throw new EngineError(
        'UNSUPPORTED_DTYPE',
        'complex64 tensors are made from a real and an imaginary part.',
        {
          hint: 'Use tf.complex(real, imag).',
        },
      );
    }
    const data = allocate(dtype, sizeOf(shape));
    if (values !== null) (data as Float32Array).set(values as Float32Array);
    const uniform = this.#trace && data.length === 1 ? Number(data[0]) : undefined;
    this.#tensors.set(dataId, { dtype, refCount, value: materialised(dtype, shape, data, uniform) });
  }

  /** A tensor for a value a kernel recorded. */
  makeTensor(value: Value, dtype: tf.DataType = value.type as tf.DataType): tf.TensorInfo {
    const dataId = {};
    this.#tensors.set(dataId, { dtype, refCount: 1, value });
    this.#hold(value);
    return { dataId, shape: [...value.shape], dtype };
  }

  makeStrings(strings: Uint8Array[], shape: number[]): tf.TensorInfo {
    return { dataId: this.write(strings, shape, 'string'), shape, dtype: 'string' };
  }

  makeComplex(real: tf.TensorInfo, imag: tf.TensorInfo): tf.TensorInfo {
    const dataId = {};
    this.#tensors.set(dataId, { dtype: 'complex64', refCount: 1, complex: { real, imag } });
    return { dataId, shape: [...real.shape], dtype: 'complex64' };
  }

  complexParts(info: tf.TensorInfo): { real: tf.TensorInfo; imag: tf.TensorInfo } {
    return this.#entry(info.dataId).complex!;
  }

  /** The graph value behind a tensor. @throws EngineError for string and complex64 tensors */
  graphValue(info: tf.TensorInfo, kernel?: string): Value {
    const { value, dtype } = this.#entry(info.dataId);
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

  #entry(dataId: tf.DataId): Entry {
    if (!this.#tensors.has(dataId)) {
      throw new EngineError(
        'UNKNOWN_TENSOR',
        'the tensor is not known to this backend; it may have been disposed.',
      );
    }
    return this.#tensors.get(dataId);
  }

  #hold(value: Value): void {
    if (value.producer !== undefined) this.#live.set(value, (this.#live.get(value) ?? 0) + 1);
  }

  #release(value: Value): void {
    const count = this.#live.get(value);
    if (count === undefined) return;
    if (count === 1) this.#live.delete(value);
    else this.#live.set(value, count - 1);
  }

  override refCount(dataId: tf.DataId): number {
    return this.#tensors.has(dataId) ? this.#tensors.get(dataId).refCount : 0;
  }

  override incRef(dataId: tf.DataId): void {
    this.#entry(dataId).refCount++;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    if (!this.#tensors.has(dataId)) return true;
    const entry = this.#tensors.get(dataId);
    entry.refCount--;
    if (!force && entry.refCount > 0) return false;
    if (entry.value) this.#release(entry.value);
    if (entry.complex) {
      this.disposeData(entry.complex.real.dataId, force);
      this.disposeData(entry.complex.imag.dataId, force);
    }
    this.#tensors.delete(dataId);
    return true;
  }

  override numDataIds(): number {
    return this.#tensors.numDataIds();
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
    const { value, strings, complex } = this.#entry(dataId);
    if (strings) return strings;
    if (complex) {
      const real = this.readSync(complex.real.dataId) as Float32Array;
      const imag = this.readSync(complex.imag.dataId) as Float32Array;
      return tf.backend_util.mergeRealAndImagArrays(real, imag);
    }
    return this.contentsOf(value!).slice() as Float32Array;
  }

  /** The contents of a value, computed if need be. Not to be written to. */
  contentsOf(value: Value): NonNullable<Value['data']> {
    if (value.data === undefined) {
      if (this.#trace) this.#assertConstant(value);
      const together = this.#trace ? [value] : [...new Set([...this.#live.keys(), value])];
      try {
        this.#compute(together);
      } catch (error) {
        // Another tensor's op may have failed: that must not spoil this read.
        if (together.length === 1) throw error;
        this.#compute([value]);
      }
    }
    return value.data!;
  }

  #assertConstant(value: Value): void {
    const { leaves } = order([value]);
    const symbolic = leaves.find((leaf) => leaf.placeholder !== undefined);
    if (symbolic === undefined) return;
    throw new EngineError(
      'READ_DURING_TRACE',
      `${this.#trace!.name} is being traced: a tensor that depends on its input "${symbolic.placeholder}" has no contents yet.`,
      {
        kernel: value.producer?.kernel,
        shapes: [value.shape],
        dtypes: [value.type],
        hint: 'Return it as an output instead of reading it inside the function.',
      },
    );
  }

  /** Runs everything that a live tensor waits for. */
  flush(): void {
    if (this.#live.size > 0) this.#compute([...this.#live.keys()]);
  }

  #compute(wanted: Value[]): void {
    const needed = new Set(wanted);
    for (const value of wanted) for (const key in value.companions) needed.add(value.companions[key]!);
    const pending = [...needed].filter((value) => value.producer !== undefined);
    if (pending.length === 0) return;
    const graph = order(pending);
    const compiled = this.sessions.getOrCreate(structureKey(graph, pending), () => {
      const inputs = new Map<Value, string>();
      for (const leaf of graph.leaves) if (!leaf.inline) inputs.set(leaf, `i${inputs.size}`);
      const outputs = pending.map((value, i) => ({ name: `o${i}`, value }));
      const model = encodeModel(modelMessage(fuse(graph, pending), { inputs, outputs }).message);
      const threads = isSmall(graph) ? { intraOpNumThreads: 1 } : {};
      const session = new OrtSession(model, { ...threads, ...this.sessionOptions });
      this.noteSession(session);
      return {
        session,
        inputs: [...inputs.values()],
        outputs: outputs.map((o) => o.name),
        signatures: [...inputs.keys()].map(({ type, shape }) => ({ type, shape })),
        model,
      };
    });
    const feeds: Record<string, HostArray> = {};
    let next = 0;
    for (const leaf of graph.leaves) {
      if (!leaf.inline)
        feeds[compiled.inputs[next++]!] = { type: leaf.type, shape: leaf.shape, data: leaf.data! };
    }
    const started = performance.now();
    const results = compiled.session.run(
      feeds,
      Object.fromEntries(compiled.outputs.map((name) => [name, null])),
    );
    this.counters.runs++;
    this.counters.runMs += performance.now() - started;
    this.lastGraph = compiled;
    pending.forEach((value, i) => {
      value.data = results[compiled.outputs[i]!];
      value.producer = undefined;
      this.#live.delete(value);
    });
    if (!this.#trace) this.#flushedAt = latestValueId();
  }

  /** Counts a run of a session. */
  timed<T>(run: () => T): T {
    const started = performance.now();
    const result = run();
    this.counters.runs++;
    this.counters.runMs += performance.now() - started;
    return result;
  }

  /** Counts a new session. */
  noteSession(session: OrtSession): void {
    this.counters.compileMs += session.compileMs;
  }

  /** Called after each kernel: keeps loops that never read from piling up work without bound. */
  afterKernel(): void {
    if (!this.#trace && latestValueId() - this.#flushedAt > this.#maxPending) {
      this.flush();
      this.#flushedAt = latestValueId();
    }
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
    this.#live.clear();
    this.sessions.clear();
  }
}

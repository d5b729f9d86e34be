/**
 * One ONNX Runtime session with a synchronous run. onnxruntime-node's public `run` returns a promise but blocks
 * the thread all the same. Its binding object is used directly so that `dataSync` works and results can be written in place:
 * a feed wraps the JavaScript array without a copy, a fetch that is given an array is written there.
 */
import { createRequire } from 'node:module';
import type * as OrtBinding from 'onnxruntime-node/dist/binding.js';
import { Tensor as OrtTensor, type InferenceSession } from 'onnxruntime-common';
import { EngineError } from '../errors.js';
import type { ElementType, TypedArray } from '../graph/value.js';

type Binding = typeof OrtBinding;
const { binding, initOrt } = createRequire(import.meta.url)('onnxruntime-node/dist/binding.js') as Binding;

export type SessionOptions = InferenceSession.SessionOptions;
export interface HostArray {
  type: ElementType;
  shape: readonly number[];
  data: TypedArray;
}

/** Defaults of every session, which callers override field by field. */
const DEFAULT_SESSION_OPTIONS: SessionOptions = {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
};

type Feeds = Readonly<Record<string, HostArray | OrtTensor>>;
type Fetches = Readonly<Record<string, HostArray | null>>;
/** Results in main memory, and those that a session leaves on its device. */
export interface RunResults {
  host: Record<string, TypedArray>;
  device: Record<string, OrtTensor>;
}

/** A compiled graph. */
export interface GraphSession {
  readonly compileMs: number;
  /**
   * Runs on the calling thread.
   * @param feeds every input of the model
   * @param fetches names of the outputs wanted; with an array, the result is written into it
   */
  run(feeds: Feeds, fetches: Fetches): Record<string, TypedArray>;
  /**
   * The same on another thread where the session can, also for sessions that leave some of their outputs on the device.
   * Inputs and output buffers must not be touched until it settles.
   */
  runAsync(feeds: Feeds, fetches: Fetches): Promise<RunResults>;
  /** Writes ONNX Runtime's profile; only for sessions made with `enableProfiling`. */
  endProfiling(): void;
  dispose(): void;
}

export class OrtSession implements GraphSession {
  readonly #session: InstanceType<Binding['binding']['InferenceSession']>;
  readonly compileMs: number;
  #disposed = false;

  /** @throws EngineError SESSION_CREATE_FAILED with ONNX Runtime's own message */
  constructor(model: Uint8Array, options: SessionOptions = {}) {
    initOrt();
    const started = performance.now();
    this.#session = new binding.InferenceSession();
    try {
      this.#session.loadModel(model.buffer as ArrayBuffer, model.byteOffset, model.byteLength, {
        ...DEFAULT_SESSION_OPTIONS,
        ...options,
      });
    } catch (cause) {
      throw new EngineError('SESSION_CREATE_FAILED', `ONNX Runtime refused the graph: ${messageOf(cause)}`, {
        cause,
      });
    }
    this.compileMs = performance.now() - started;
  }

  run(feeds: Feeds, fetches: Fetches): Record<string, TypedArray> {
    return this.#run(feeds, fetches).host;
  }

  /** onnxruntime-node runs on the calling thread whatever it is asked. */
  async runAsync(feeds: Feeds, fetches: Fetches): Promise<RunResults> {
    return this.#run(feeds, fetches);
  }

  #run(feeds: Feeds, fetches: Fetches): RunResults {
    if (this.#disposed) throw new EngineError('DISPOSED', 'the session has been released.');
    const inputs: Record<string, OrtTensor> = {};
    for (const name in feeds) {
      const feed = feeds[name]!;
      inputs[name] = 'location' in feed ? feed : toOrt(feed);
    }
    const outputs: Record<string, OrtTensor | null> = {};
    for (const name in fetches) outputs[name] = fetches[name] ? toOrt(fetches[name]) : null;
    let results: Record<string, unknown>;
    try {
      results = this.#session.run(inputs, outputs, {});
    } catch (cause) {
      throw new EngineError(
        'SESSION_RUN_FAILED',
        `ONNX Runtime could not run the graph: ${messageOf(cause)}`,
        { cause },
      );
    }
    const host: Record<string, TypedArray> = {};
    const device: Record<string, OrtTensor> = {};
    for (const name in fetches) {
      const result = results[name] as OrtTensor;
      if (fetches[name]) host[name] = fetches[name].data;
      else if (result.location === 'cpu') host[name] = result.data as unknown as TypedArray;
      else device[name] = result;
    }
    return { host, device };
  }

  endProfiling(): void {
    this.#session.endProfiling();
  }

  dispose(): void {
    if (!this.#disposed) this.#session.dispose();
    this.#disposed = true;
  }
}

const toOrt = ({ type, data, shape }: HostArray): OrtTensor =>
  new OrtTensor(type as 'float32', data as Float32Array, shape);

export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

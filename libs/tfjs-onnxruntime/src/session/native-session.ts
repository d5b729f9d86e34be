/**
 * Sessions of the optional native addon: the same ONNX Runtime with fused ops for training and one arena for all
 * sessions. Only replayed steps on the CPU use them; without the addon everything runs in session/ort.ts.
 */
import type {
  ElementCode,
  NativeOutput,
  NativeResult,
  NativeRuntime,
  NativeSession,
  NativeTensor,
} from 'ort-native';
import { EngineError } from '../errors.js';
import { ONNX_ELEMENT, allocate, type ElementType, type TypedArray } from '../graph/value.js';
import {
  messageOf,
  OrtSession,
  type GraphSession,
  type HostArray,
  type RunResults,
  type SessionOptions,
} from './ort.js';

type Feeds = Readonly<Record<string, HostArray>>;
type Fetches = Readonly<Record<string, HostArray | null>>;

const LEVELS = { disabled: 0, basic: 1, extended: 2, layout: 99, all: 99 } as const;

/** A session of the addon when `runtime` is given, otherwise one of onnxruntime-node. */
export const openSession = (
  model: Uint8Array,
  options: SessionOptions,
  runtime: NativeRuntime | undefined,
): GraphSession =>
  runtime ? new NativeGraphSession(runtime, model, options) : new OrtSession(model, options);

class NativeGraphSession implements GraphSession {
  readonly #runtime: NativeRuntime;
  readonly #session: NativeSession;
  readonly compileMs: number;
  #disposed = false;

  /** @throws EngineError SESSION_CREATE_FAILED with ONNX Runtime's own message */
  constructor(runtime: NativeRuntime, model: Uint8Array, options: SessionOptions) {
    this.#runtime = runtime;
    const started = performance.now();
    try {
      this.#session = runtime.createSession(model, {
        threads: options.intraOpNumThreads ?? 0,
        optimization: LEVELS[options.graphOptimizationLevel ?? 'all'],
        spinning: true,
        profile: options.enableProfiling ? (options.profileFilePrefix ?? 'profile') : '',
        external: (options.externalData ?? []) as { path: string; data: Uint8Array }[],
      });
    } catch (cause) {
      throw new EngineError('SESSION_CREATE_FAILED', `ONNX Runtime refused the graph: ${messageOf(cause)}`, {
        cause,
      });
    }
    this.compileMs = performance.now() - started;
  }

  run(feeds: Feeds, fetches: Fetches): Record<string, TypedArray> {
    this.#assertUsable();
    try {
      return resultsOf(fetches, this.#runtime.run(this.#session, ...argumentsOf(feeds, fetches)));
    } catch (cause) {
      throw runFailed(cause);
    }
  }

  async runAsync(feeds: Feeds, fetches: Fetches): Promise<RunResults> {
    this.#assertUsable();
    try {
      const results = await this.#runtime.runAsync(this.#session, ...argumentsOf(feeds, fetches));
      return { host: resultsOf(fetches, results), device: {} };
    } catch (cause) {
      throw runFailed(cause);
    }
  }

  #assertUsable(): void {
    if (this.#disposed) throw new EngineError('DISPOSED', 'the session has been released.');
  }

  endProfiling(): void {
    this.#runtime.endProfiling(this.#session);
  }

  dispose(): void {
    if (!this.#disposed) this.#runtime.release(this.#session);
    this.#disposed = true;
  }
}

function argumentsOf(feeds: Feeds, fetches: Fetches): [NativeTensor[], NativeOutput[]] {
  const tensor = ([name, { type, shape, data }]: [string, HostArray]): NativeTensor => ({
    name,
    type: ONNX_ELEMENT[type] as ElementCode,
    shape,
    data,
  });
  const outputs = Object.entries(fetches).map(([name, fetch]) => (fetch ? tensor([name, fetch]) : { name }));
  return [Object.entries(feeds).map(tensor), outputs];
}

function resultsOf(fetches: Fetches, results: readonly NativeResult[]): Record<string, TypedArray> {
  const entries = Object.entries(fetches);
  return Object.fromEntries(
    results.map((result, i) => {
      const [name, fetch] = entries[i]!;
      return [name, result ? arrayOf(result) : fetch!.data];
    }),
  );
}

const runFailed = (cause: unknown): EngineError =>
  new EngineError('SESSION_RUN_FAILED', `ONNX Runtime could not run the graph: ${messageOf(cause)}`, {
    cause,
  });

const TYPES = new Map(Object.entries(ONNX_ELEMENT).map(([type, code]) => [code, type as ElementType]));

/** The typed array over an output's bytes. */
function arrayOf({ type, buffer }: { type: ElementCode; buffer: ArrayBuffer }): TypedArray {
  const { constructor } = allocate(TYPES.get(type)!, 0);
  return new (constructor as new (buffer: ArrayBuffer) => TypedArray)(buffer);
}

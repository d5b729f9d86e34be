/**
 * Compiles pending values to one ONNX graph (once per structure) and runs it. Every value that was asked for then has
 * its data, so no node runs twice and the recorded graph is garbage afterwards.
 */
import { fuse } from '../graph/fuse.js';
import { order, structureKey, type OrderedGraph } from '../graph/order.js';
import type { Value } from '../graph/value.js';
import { threadsFor } from '../graph/work.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import { SessionCache, type CompiledGraph } from '../session/cache.js';
import { OrtSession, type GraphSession, type HostArray, type SessionOptions } from '../session/ort.js';

export class GraphRunner {
  readonly sessions: SessionCache;
  readonly sessionOptions: SessionOptions;
  readonly counters = { runs: 0, runMs: 0, compileMs: 0, traceMs: 0 };
  /** The eager graph that ran last. */
  lastGraph: CompiledGraph | undefined;

  constructor(sessionCapacity: number, sessionOptions: SessionOptions) {
    this.sessions = new SessionCache(sessionCapacity);
    this.sessionOptions = sessionOptions;
  }

  /** Computes these values, and with them the companions that their gradients will read. */
  compute(values: readonly Value[]): void {
    const needed = new Set(values);
    for (const { companions } of values) for (const key in companions) needed.add(companions[key]!);
    const pending = [...needed].filter((value) => value.producer !== undefined);
    if (pending.length === 0) return;
    const graph = order(pending);
    const compiled = this.sessions.getOrCreate(structureKey(graph, pending), () =>
      this.#compile(graph, pending),
    );
    const feeds: Record<string, HostArray> = {};
    let next = 0;
    for (const leaf of graph.leaves) {
      if (!leaf.inline)
        feeds[compiled.inputs[next++]!] = { type: leaf.type, shape: leaf.shape, data: leaf.data! };
    }
    const fetches = Object.fromEntries(compiled.outputs.map((name) => [name, null]));
    const results = this.timed(() => compiled.session.run(feeds, fetches));
    this.lastGraph = compiled;
    pending.forEach((value, i) => {
      value.data = results[compiled.outputs[i]!];
      value.producer = undefined;
    });
  }

  #compile(graph: OrderedGraph, pending: readonly Value[]): CompiledGraph {
    const inputs = new Map<Value, string>();
    for (const leaf of graph.leaves) if (!leaf.inline) inputs.set(leaf, `i${inputs.size}`);
    const outputs = pending.map((value, i) => ({ name: `o${i}`, value }));
    const model = encodeModel(modelMessage(fuse(graph, pending), { inputs, outputs }).message);
    const session = new OrtSession(model, { ...this.sessionOptions, ...threadsFor(graph.nodes) });
    this.noteSession(session);
    return {
      session,
      inputs: [...inputs.values()],
      outputs: outputs.map((o) => o.name),
      signatures: [...inputs.keys()].map(({ type, shape }) => ({ type, shape })),
      model,
    };
  }

  /** Counts a run of a session that succeeded, and its time. */
  timed<T>(run: () => T): T {
    const started = performance.now();
    const result = run();
    this.#count(started);
    return result;
  }

  /** The same for a run on another thread. */
  async timedAsync<T>(run: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const result = await run();
    this.#count(started);
    return result;
  }

  #count(started: number): void {
    this.counters.runs++;
    this.counters.runMs += performance.now() - started;
  }

  /** Counts the compilation of a new session. */
  noteSession(session: GraphSession): void {
    this.counters.compileMs += session.compileMs;
  }
}

/** Introspection: counters, the profile of the last eager graph, and the graph itself. */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from './errors.js';
import { allocate, sizeOf } from './graph/value.js';
import { currentBackend } from './replay/trace.js';
import type { CompiledGraph } from './session/cache.js';
import type { HostArray } from './session/ort.js';
import { profileModel, type ProfileEntry } from './session/profile.js';

/** Of the backend's op-by-op execution since it was registered. */
export interface EngineStats {
  /** Compiled eager graphs that are kept, and the statistics of their cache. */
  sessions: number;
  sessionCapacity: number;
  cacheHits: number;
  cacheMisses: number;
  evictions: number;
  /** Session runs so far, eager and replayed, and their milliseconds. */
  runs: number;
  runMs: number;
  compileMs: number;
  traceMs: number;
  /** Tensors alive in TensorFlow.js and their bytes. */
  tensors: number;
  bytes: number;
}

/** What the backend has compiled, run and kept so far. */
export function stats(): EngineStats {
  const { sessions, counters } = currentBackend().runner;
  const { numTensors, numBytes } = tf.memory();
  return {
    sessions: sessions.size,
    sessionCapacity: sessions.capacity,
    cacheHits: sessions.hits,
    cacheMisses: sessions.misses,
    evictions: sessions.evictions,
    ...counters,
    tensors: numTensors,
    bytes: numBytes,
  };
}

function lastGraph(): CompiledGraph {
  const { lastGraph: graph } = currentBackend().runner;
  if (graph === undefined) {
    throw new EngineError('BAD_STATE', 'no graph has run yet.', { hint: 'Read a tensor first.' });
  }
  return graph;
}

/** Costliest ops of the last eager graph, costliest first; it runs again on zeros. */
export function profile(): ProfileEntry[] {
  const { model, inputs, outputs, signatures } = lastGraph();
  const feeds: Record<string, HostArray> = {};
  inputs.forEach((name, i) => {
    const { type, shape } = signatures[i]!;
    feeds[name] = { type, shape, data: allocate(type, sizeOf(shape)) };
  });
  return profileModel(
    model,
    currentBackend().runner.sessionOptions,
    feeds,
    Object.fromEntries(outputs.map((o) => [o, null])),
    { native: false },
  );
}

/** The last eager graph as an ONNX model, for a viewer such as Netron. */
export const dumpGraph = (): Uint8Array => lastGraph().model;

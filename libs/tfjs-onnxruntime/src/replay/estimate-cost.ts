/** What a replayed function will need, from its trace alone: nothing is compiled, and no tensor has contents. */
import { fuse } from '../graph/fuse.js';
import { bytesOf, executionOrder, peakBytes } from '../graph/memory.js';
import { order } from '../graph/order.js';
import { workOf, type Work } from '../graph/work.js';
import { hasNativeAddon } from '../session/native.js';
import { resultsOf } from './compile-step.js';
import type { TensorSignature } from './host-tensor.js';
import { addPrefix, stripPrefix } from './prefix.js';
import type { StatefulFunction } from './replayed-function.js';
import { trace } from './trace.js';

/** What one step of a function takes. */
export interface CostEstimate {
  /**
   * State that steps change with its second buffers, and the gradients of what AdamW updates. State that stays as it is lies
   * where the caller has it, with `sharesState`.
   */
  stateBytes: number;
  /** Intermediate values that are alive at once, at the peak. */
  workingBytes: number;
  work: Work;
}

/** AdamW reads a gradient, a parameter and two moments, and writes three of them. */
const UPDATE_PASSES = 7;

type Signatures = Readonly<Record<string, TensorSignature>>;

/** @throws EngineError READ_DURING_TRACE, … as the function's first run would */
export function estimateCost(fn: StatefulFunction, state: Signatures, inputs: Signatures): CostEstimate {
  const signatures = { ...addPrefix(state, 'state/'), ...addPrefix(inputs, 'input/') };
  const traced = trace({ name: 'estimate', native: hasNativeAddon() }, signatures, (tensors) => {
    const result = fn(stripPrefix(tensors, 'state/'), stripPrefix(tensors, 'input/'));
    return { ...addPrefix(result.state, 'state/'), ...addPrefix(result.outputs, 'output/') };
  });
  const { updates, written, wanted } = resultsOf(traced, false);
  const results = [...wanted.values()];
  const graph = fuse(order(results), results);
  const changed = [...updates.flatMap(({ names }) => Object.values(names)), ...written.map(([name]) => name)];
  const buffers = [...written.map(([, value]) => value), ...updates.map(({ grad }) => grad)];
  const sum = (values: readonly TensorSignature[]) =>
    values.reduce((bytes, value) => bytes + bytesOf(value), 0);
  const work = workOf(graph.nodes);
  return {
    stateBytes: sum(changed.map((name) => state[name]!)) + sum(buffers),
    work: { ...work, bytes: work.bytes + UPDATE_PASSES * sum(updates.map(({ grad }) => grad)) },
    workingBytes: peakBytes(executionOrder(graph.nodes), new Set(results), new Set(buffers)),
  };
}

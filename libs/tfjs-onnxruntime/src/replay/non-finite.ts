/**
 * Finds the op that first produced NaN or infinity: runs a graph again with its intermediate values as outputs, in groups
 * of a bounded size, each with the part of the graph that it needs.
 */
import type { OrderedGraph } from '../graph/order.js';
import { sizeOf, type GraphNode, type TypedArray, type Value } from '../graph/value.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import type { NativeRuntime } from 'ort-native';
import { openSession } from '../session/native-session.js';
import type { HostArray, SessionOptions } from '../session/ort.js';
import { threadsOf } from '../session/threads.js';

export interface NonFinite {
  /** TensorFlow.js kernel and ONNX op. */
  kernel: string;
  op: string;
  /** Inputs and outputs of the op. */
  inputShapes: readonly (readonly number[])[];
  shape: readonly number[];
  /** How many elements of its result are not finite. */
  count: number;
}

/** Bytes of intermediate values that are looked at in one run. */
const GROUP_BYTES = 2 ** 29;

interface Probe {
  node: GraphNode;
  value: Value;
}

/**
 * @param options of the session that ran the graph, for its threads
 * @returns the first op, in order of computation, with a non-finite result from finite operands
 */
export function findNonFinite(
  graph: OrderedGraph,
  inputs: ReadonlyMap<Value, string>,
  feeds: Readonly<Record<string, HostArray>>,
  options: SessionOptions,
  native: NativeRuntime | undefined,
): NonFinite | undefined {
  const bad = new Set<Value>();
  for (const [leaf, name] of inputs) if (countNonFinite(feeds[name]!.data, leaf) > 0) bad.add(leaf);
  for (const group of groups(graph)) {
    const results = compute(group, graph, inputs, feeds, options, native);
    for (const [i, { node, value }] of group.entries()) {
      const count = countNonFinite(results[i]!, value);
      if (count === 0) continue;
      if (!isMaskFill(node) && node.inputs.every((input) => input === undefined || !bad.has(input))) {
        return describe(node, value, count);
      }
      bad.add(value);
    }
  }
  return undefined;
}

/** All float32 values of the graph in order of computation. */
function groups({ nodes }: OrderedGraph): Probe[][] {
  const found: Probe[][] = [];
  let bytes = Infinity;
  for (const node of nodes) {
    for (const value of node.outputs) {
      if (value.type !== 'float32') continue;
      const own = 4 * sizeOf(value.shape);
      if (bytes + own > GROUP_BYTES) {
        found.push([]);
        bytes = 0;
      }
      found.at(-1)!.push({ node, value });
      bytes += own;
    }
  }
  return found;
}

/** The values of some probes. */
function compute(
  probes: readonly Probe[],
  graph: OrderedGraph,
  inputs: ReadonlyMap<Value, string>,
  feeds: Readonly<Record<string, HostArray>>,
  options: SessionOptions,
  native: NativeRuntime | undefined,
): TypedArray[] {
  const part = partFor(probes, graph);
  const read = new Map([...inputs].filter(([leaf]) => part.leaves.includes(leaf)));
  const outputs = probes.map(({ value }, i) => ({ name: `probe${i}`, value }));
  const model = encodeModel(modelMessage(part, { inputs: read, outputs }).message);
  const session = openSession(model, { graphOptimizationLevel: 'disabled', ...threadsOf(options) }, native);
  try {
    const given = Object.fromEntries([...read.values()].map((name) => [name, feeds[name]!]));
    const results = session.run(given, Object.fromEntries(outputs.map(({ name }) => [name, null])));
    return outputs.map(({ name }) => results[name]!);
  } finally {
    session.dispose();
  }
}

/** The nodes that the probes depend on. */
function partFor(probes: readonly Probe[], { nodes, leaves }: OrderedGraph): OrderedGraph {
  const needed = new Set(probes.map(({ value }) => value));
  const kept = nodes.toReversed().filter(({ outputs, inputs }) => {
    if (!outputs.some((output) => needed.has(output))) return false;
    for (const input of inputs) if (input !== undefined) needed.add(input);
    return true;
  });
  return { nodes: kept.toReversed(), leaves: leaves.filter((leaf) => needed.has(leaf)) };
}

function countNonFinite(data: TypedArray, { type }: Value): number {
  if (type !== 'float32') return 0;
  let count = 0;
  for (const x of data as Float32Array) if (!Number.isFinite(x)) count++;
  return count;
}

/** Ops that fill in infinities on purpose. */
const isMaskFill = (node: GraphNode): boolean => node.op === 'Expand' || node.op === 'Where';

const describe = (node: GraphNode, value: Value, count: number): NonFinite => ({
  kernel: node.kernel ?? node.op,
  op: node.op,
  inputShapes: node.inputs.flatMap((input) => (input ? [input.shape] : [])),
  shape: value.shape,
  count,
});

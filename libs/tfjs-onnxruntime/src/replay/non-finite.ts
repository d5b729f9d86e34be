/**
 * Finds the op that first produced NaN or infinity: runs a graph again with every intermediate value as an output.
 * For debugging only; it needs memory for all of them at once.
 */
import type { OrderedGraph } from '../graph/order.js';
import type { GraphNode, Value } from '../graph/value.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import type { NativeRuntime } from 'ort-native';
import { openSession } from '../session/native.js';
import type { HostArray } from '../session/ort.js';

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

/** @returns the first op, in order of computation, with a non-finite result from finite operands */
export function findNonFinite(
  graph: OrderedGraph,
  inputs: ReadonlyMap<Value, string>,
  feeds: Readonly<Record<string, HostArray>>,
  native: NativeRuntime | undefined,
): NonFinite | undefined {
  const outputs = graph.nodes
    .flatMap((node) =>
      node.outputs.filter((value) => value.type === 'float32').map((value) => ({ node, value })),
    )
    .map(({ node, value }, i) => ({ node, value, name: `probe${i}` }));
  const model = encodeModel(modelMessage(graph, { inputs, outputs }).message);
  const session = openSession(model, { graphOptimizationLevel: 'disabled' }, native);
  try {
    const results = session.run(feeds, Object.fromEntries(outputs.map(({ name }) => [name, null])));
    const bad = new Set<Value>();
    for (const [leaf, name] of inputs)
      if (countNonFinite(feeds[name]!.data as Float32Array, leaf) > 0) bad.add(leaf);
    for (const { node, value, name } of outputs) {
      const count = countNonFinite(results[name] as Float32Array, value);
      if (count === 0) continue;
      if (!isMaskFill(node) && node.inputs.every((input) => input === undefined || !bad.has(input))) {
        return describe(node, value, count);
      }
      bad.add(value);
    }
    return undefined;
  } finally {
    session.dispose();
  }
}

function countNonFinite(data: Float32Array, { type }: Value): number {
  if (type !== 'float32') return 0;
  let count = 0;
  for (const x of data) if (!Number.isFinite(x)) count++;
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

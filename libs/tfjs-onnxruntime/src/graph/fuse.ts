/**
 * Rewrites an ordered graph before it is written, where knowing all users of a value matters:
 * Add(Gemm(a, b), bias) → Gemm(a, b, bias), also with a Reshape in between.
 */
import type { OrderedGraph } from './order.js';
import { sizeOf, type GraphNode, type Value } from './value.js';

/** @param wanted values that must stay as they are */
export function fuse(graph: OrderedGraph, wanted: readonly Value[]): OrderedGraph {
  const uses = countUses(graph, wanted);
  const producer = new Map<Value, GraphNode>();
  for (const node of graph.nodes) for (const output of node.outputs) producer.set(output, node);
  const replaced = new Map<GraphNode, GraphNode[]>();
  for (const node of graph.nodes) {
    if (node.op !== 'Add') continue;
    const fused = fuseBias(node, producer, uses);
    if (!fused) continue;
    for (const dropped of fused.dropped) replaced.set(dropped, []);
    replaced.set(node, fused.nodes);
  }
  return { leaves: graph.leaves, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) };
}

function countUses({ nodes }: OrderedGraph, wanted: readonly Value[]): Map<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value | undefined): void => {
    if (value) uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const node of nodes) node.inputs.forEach(use);
  wanted.forEach(use);
  return uses;
}

function fuseBias(
  node: GraphNode,
  producer: ReadonlyMap<Value, GraphNode>,
  uses: ReadonlyMap<Value, number>,
): { nodes: GraphNode[]; dropped: GraphNode[] } | undefined {
  const [left, bias] = node.inputs as [Value, Value];
  const once = (value: Value): boolean => uses.get(value) === 1;
  const direct = producer.get(left);
  const reshaped = direct?.op === 'Reshape' ? direct : undefined;
  const product = reshaped ? reshaped.inputs[0]! : left;
  const gemm = producer.get(product);
  if (gemm?.op !== 'Gemm' || gemm.inputs.length !== 2 || !once(left) || !once(product)) return undefined;
  const columns = product.shape[1]!;
  const isRow = bias.shape.length === 1 && sizeOf(bias.shape) === columns;
  const sum = node.outputs[0]!;
  if (!isRow || left.shape.at(-1) !== columns || sizeOf(sum.shape) !== sizeOf(product.shape))
    return undefined;
  const { kernel } = gemm;
  const withBias = { ...gemm, inputs: [...gemm.inputs, bias] };
  if (!reshaped) return { nodes: [{ ...withBias, outputs: [sum], kernel }], dropped: [gemm] };
  // The product keeps its own value; the Reshape now delivers the sum.
  return { nodes: [withBias, { ...reshaped, outputs: [sum] }], dropped: [gemm, reshaped] };
}

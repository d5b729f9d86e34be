/**
 * Rewrites an ordered graph before it is written, where knowing all users of a value matters:
 * - Add(Gemm(a, b), bias) → Gemm(a, b, bias)
 * - Mul(Gemm(a, b), constant) → Gemm(a, b) with the constant as its factor
 *
 * both also with a Reshape in between.
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
    const fused = fuseIntoGemm(node, producer, uses);
    if (!fused) continue;
    for (const dropped of fused.dropped) replaced.set(dropped, []);
    replaced.set(node, fused.nodes);
    for (const created of fused.nodes) for (const output of created.outputs) producer.set(output, created);
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

/** The Add or Mul disappears into the product that its first operand comes from, when nothing else reads that. */
function fuseIntoGemm(
  node: GraphNode,
  producer: ReadonlyMap<Value, GraphNode>,
  uses: ReadonlyMap<Value, number>,
): { nodes: GraphNode[]; dropped: GraphNode[] } | undefined {
  if (node.op !== 'Add' && node.op !== 'Mul') return undefined;
  const [left, right] = node.inputs as [Value, Value];
  const direct = producer.get(left);
  const reshaped = direct?.op === 'Reshape' ? direct : undefined;
  const product = reshaped ? reshaped.inputs[0]! : left;
  const gemm = producer.get(product);
  const once = (value: Value): boolean => uses.get(value) === 1;
  if (gemm?.op !== 'Gemm' || gemm.inputs.length !== 2 || !once(left) || !once(product)) return undefined;
  const [sum] = node.outputs as [Value];
  if (sizeOf(sum.shape) !== sizeOf(product.shape) || left.shape.at(-1) !== product.shape[1]) return undefined;
  const merged = node.op === 'Add' ? withBias(gemm, right) : withFactor(gemm, right);
  if (merged === undefined) return undefined;
  if (!reshaped) return { nodes: [{ ...merged, outputs: [sum] }], dropped: [gemm] };
  // The product keeps its own value; the Reshape now delivers the result.
  return { nodes: [merged, { ...reshaped, outputs: [sum] }], dropped: [gemm, reshaped] };
}

function withBias(gemm: GraphNode, bias: Value): GraphNode | undefined {
  const columns = gemm.outputs[0]!.shape[1]!;
  if (bias.shape.length !== 1 || bias.shape[0] !== columns) return undefined;
  return { ...gemm, inputs: [...gemm.inputs, bias] };
}

function withFactor(gemm: GraphNode, factor: Value): GraphNode | undefined {
  if (!factor.inline || factor.uniform === undefined || sizeOf(factor.shape) !== 1) return undefined;
  const { float: alpha } = gemm.attributes.alpha as { float: number };
  return { ...gemm, attributes: { ...gemm.attributes, alpha: { float: alpha * factor.uniform } } };
}

/**
 * Rewrites an ordered graph before it is written, where knowing all users of a value matters:
 * - Add(Gemm(a, b), c) → Gemm(a, b, c), where c is a bias or a whole matrix (sums of gradients)
 * - Mul(Gemm(a, b), constant) → Gemm(a, b) with the constant as its factor
 *
 * both also with a Reshape in between. Large sums stay apart: ONNX Runtime copies c into the result on one thread
 * before it multiplies, while Add runs on all threads.
 */
import type { OrderedGraph } from './order.js';
import { int64s, node, sizeOf, type GraphNode, type Value } from './value.js';

/** Elements of a result from which an Add of its own is faster. */
const LARGE_SUM = 1 << 17;

/** @param wanted values that must stay as they are */
export function fuse(graph: OrderedGraph, wanted: readonly Value[]): OrderedGraph {
  const uses = countUses(graph, wanted);
  const producer = new Map<Value, GraphNode>();
  for (const each of graph.nodes) for (const output of each.outputs) producer.set(output, each);
  const replaced = new Map<GraphNode, GraphNode[]>();
  const known = new Set(graph.leaves);
  const leaves = [...graph.leaves];
  for (const each of graph.nodes) {
    const fused = fuseIntoGemm(each, producer, uses);
    if (!fused) continue;
    for (const dropped of fused.dropped) replaced.set(dropped, []);
    replaced.set(each, fused.nodes);
    for (const created of fused.nodes) {
      for (const output of created.outputs) producer.set(output, created);
      // Shapes of the Reshapes that were added.
      for (const input of created.inputs) if (input?.inline && !known.has(input)) leaves.push(input);
    }
  }
  return { leaves, nodes: graph.nodes.flatMap((each) => replaced.get(each) ?? [each]) };
}

function countUses({ nodes }: OrderedGraph, wanted: readonly Value[]): Map<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value | undefined): void => {
    if (value) uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const { inputs } of nodes) inputs.forEach(use);
  wanted.forEach(use);
  return uses;
}

interface Fusion {
  nodes: GraphNode[];
  dropped: GraphNode[];
}

/** The Add or Mul disappears into the product that one of its operands comes from, when nothing else reads that. */
function fuseIntoGemm(
  sum: GraphNode,
  producer: ReadonlyMap<Value, GraphNode>,
  uses: ReadonlyMap<Value, number>,
): Fusion | undefined {
  if (sum.op !== 'Add' && sum.op !== 'Mul') return undefined;
  const [left, right] = sum.inputs as [Value, Value];
  return fuseOperand(sum, left, right, producer, uses) ?? fuseOperand(sum, right, left, producer, uses);
}

function fuseOperand(
  sum: GraphNode,
  operand: Value,
  other: Value,
  producer: ReadonlyMap<Value, GraphNode>,
  uses: ReadonlyMap<Value, number>,
): Fusion | undefined {
  const direct = producer.get(operand);
  const reshaped = direct?.op === 'Reshape' ? direct : undefined;
  const product = reshaped ? reshaped.inputs[0]! : operand;
  const gemm = producer.get(product);
  const once = (value: Value): boolean => uses.get(value) === 1;
  if (gemm?.op !== 'Gemm' || gemm.inputs.length !== 2 || !once(operand) || !once(product)) return undefined;
  const [result] = sum.outputs as [Value];
  if (sizeOf(result.shape) !== sizeOf(product.shape) || operand.shape.at(-1) !== product.shape[1])
    return undefined;
  const merged = sum.op === 'Add' ? withAddend(gemm, other) : withFactor(gemm, other);
  if (merged === undefined) return undefined;
  const last = merged[merged.length - 1]!;
  if (!reshaped) return { nodes: [...merged.slice(0, -1), { ...last, outputs: [result] }], dropped: [gemm] };
  // The product keeps its own value; the Reshape now delivers the result.
  return { nodes: [...merged, { ...reshaped, outputs: [result] }], dropped: [gemm, reshaped] };
}

/** The product with a third operand: a row that is added to every row, or a matrix of the product's size. */
function withAddend(gemm: GraphNode, addend: Value): GraphNode[] | undefined {
  const { shape } = gemm.outputs[0]!;
  if (sizeOf(shape) >= LARGE_SUM) return undefined;
  if (addend.shape.length === 1 && addend.shape[0] === shape[1]) {
    return [{ ...gemm, inputs: [...gemm.inputs, addend] }];
  }
  if (sizeOf(addend.shape) !== sizeOf(shape) || addend.type !== 'float32') return undefined;
  if (addend.shape.length === 2 && addend.shape[0] === shape[0]) {
    return [{ ...gemm, inputs: [...gemm.inputs, addend] }];
  }
  const [matrix] = node('Reshape', [addend, int64s(shape)], { allowzero: 1 }, [{ type: 'float32', shape }]);
  return [matrix!.producer!, { ...gemm, inputs: [...gemm.inputs, matrix!] }];
}

function withFactor(gemm: GraphNode, factor: Value): GraphNode[] | undefined {
  if (!factor.inline || factor.uniform === undefined || sizeOf(factor.shape) !== 1) return undefined;
  const { float: alpha } = gemm.attributes.alpha as { float: number };
  return [{ ...gemm, attributes: { ...gemm.attributes, alpha: { float: alpha * factor.uniform } } }];
}

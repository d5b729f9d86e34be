/**
 * How many bytes a graph's intermediate values take at their peak, in ONNX Runtime's order of execution: depth first
 * from the outputs towards the inputs, later nodes first (Graph::ReverseDFSFrom of ONNX Runtime 1.30). What it rewrites
 * before it runs, workspace of its kernels and gaps in its arena are not counted.
 */
import { sizeOf, type ElementType, type GraphNode, type Value } from './value.js';

const BYTES: Readonly<Record<ElementType, number>> = { float32: 4, int32: 4, int64: 8, bool: 1, float16: 2 };
/** Ops whose result lies in the memory of their first operand. */
const VIEWS: ReadonlySet<string> = new Set(['Reshape', 'Identity']);

export const bytesOf = ({ shape, type }: Pick<Value, 'shape' | 'type'>): number =>
  sizeOf(shape) * BYTES[type];

/** The nodes as ONNX Runtime runs them. @param nodes in the order of the model */
export function executionOrder(nodes: readonly GraphNode[]): GraphNode[] {
  const producer = new Map<Value, number>();
  nodes.forEach(({ outputs }, i) => outputs.forEach((value) => producer.set(value, i)));
  const operands = nodes.map(({ inputs }) => {
    const from = inputs.flatMap((value) => (value === undefined ? [] : (producer.get(value) ?? [])));
    return [...new Set(from)].sort((a, b) => a - b);
  });
  const read = new Set(operands.flat());
  const stack = nodes.flatMap((_, i) => (read.has(i) ? [] : [{ i, done: false }]));
  const seen = new Set<number>();
  const order: GraphNode[] = [];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { i, done } = top;
    if (done) order.push(nodes[i]!);
    if (done || seen.has(i)) continue;
    seen.add(i);
    stack.push({ i, done: true });
    for (const operand of operands[i]!) if (!seen.has(operand)) stack.push({ i: operand, done: false });
  }
  return order;
}

/**
 * @param nodes in order of execution
 * @param kept values that stay until the end
 * @param elsewhere values that lie in memory of the caller
 */
export function peakBytes(
  nodes: readonly GraphNode[],
  kept: ReadonlySet<Value>,
  elsewhere: ReadonlySet<Value>,
): number {
  const owner = new Map<Value, Value>();
  const ownerOf = (value: Value): Value => owner.get(value) ?? value;
  const reads = new Map<Value, number>();
  for (const { op, inputs, outputs } of nodes) {
    if (VIEWS.has(op)) owner.set(outputs[0]!, ownerOf(inputs[0]!));
    for (const value of inputs) if (value) reads.set(ownerOf(value), (reads.get(ownerOf(value)) ?? 0) + 1);
  }
  const stays = new Set([...kept].map(ownerOf));
  const alive = new Set<Value>();
  let bytes = 0;
  let peak = 0;
  const free = (value: Value): void => {
    if (stays.has(value) || !alive.delete(value)) return;
    bytes -= bytesOf(value);
  };
  for (const { inputs, outputs } of nodes) {
    for (const value of outputs) {
      if (owner.has(value) || elsewhere.has(value)) continue;
      alive.add(value);
      bytes += bytesOf(value);
    }
    peak = Math.max(peak, bytes);
    for (const value of inputs) {
      if (!value) continue;
      const left = reads.get(ownerOf(value))! - 1;
      reads.set(ownerOf(value), left);
      if (left === 0) free(ownerOf(value));
    }
    for (const value of outputs) if (!reads.has(value)) free(value);
  }
  return peak;
}

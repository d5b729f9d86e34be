/**
 * Mixed precision (Micikevicius et al. 2018, arXiv:1710.03740): matrix products and convolutions of an ordered graph read and
 * write float16; all else (sums, norms, softmax, the loss, the optimiser) stays float32. Moving ops between two products
 * stay in float16 with them, so that values are cast once.
 *
 * Inputs and results of the graph stay as they are: weights are cast from their float32 originals in each step.
 */
import { unary } from './ops.js';
import type { OrderedGraph } from './order.js';
import { node, ONNX_ELEMENT, type GraphNode, type Value } from './value.js';

const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'Gemm', 'Conv', 'ConvTranspose']);
/** Their first input passes through. */
const MOVES = new Set(['Reshape', 'Transpose', 'Slice', 'Squeeze', 'Unsqueeze', 'Identity']);

export interface HalfOptions {
  /** Whether a leaf is one of the numbers that learn. */
  isWeight: (leaf: Value) => boolean;
  /**
   * Products read and write float16 but compute in float32, for providers without kernels for float16: left to itself, ONNX
   * Runtime casts too, and then drops casts that would have rounded.
   */
  computeInFloat32: boolean;
}

/** @param wanted values that are read in float32 afterwards */
export function halveProducts(
  graph: OrderedGraph,
  wanted: readonly Value[],
  { isWeight, computeInFloat32 }: HalfOptions,
): OrderedGraph {
  const nodes: GraphNode[] = [];
  /** By value: its contents in float16. Where a product made them, the float32 value has no node until somebody reads it. */
  const halves = new Map<Value, Value>();
  const unmade = new Set<Value>();
  const weights = weightsAmong(graph, isWeight);

  const record = (made: GraphNode, kernel: string | undefined): Value => {
    nodes.push(Object.assign(made, { kernel }));
    return made.outputs[0]!;
  };
  const castTo = (type: 'float16' | 'float32', value: Value, kernel?: string): Value =>
    record(unary('Cast', value, type, { to: ONNX_ELEMENT[type] }).producer!, kernel);
  const halfOf = (value: Value): Value => {
    const known = halves.get(value);
    if (known) return known;
    const half = castTo('float16', value);
    halves.set(value, half);
    return half;
  };
  const make = (value: Value | undefined): void => {
    if (value === undefined || !unmade.delete(value)) return;
    const half = halves.get(value)!;
    const attributes = { to: ONNX_ELEMENT.float32 };
    nodes.push({
      ...{ op: 'Cast', domain: '', inputs: [half], attributes, outputs: [value] },
      kernel: half.producer!.kernel,
    });
  };
  /** The node with its first `count` inputs and its result in float16. */
  const halve = (each: GraphNode, count: number, type: 'float16' | 'float32'): void => {
    const { op, attributes, domain, kernel } = each;
    const [result] = each.outputs as [Value];
    const inputs = each.inputs.map((input, i) => {
      if (input === undefined || i >= count) return input;
      return type === 'float16' ? halfOf(input) : castTo(type, halfOf(input));
    });
    const [made] = node(op, inputs, attributes, [{ type, shape: result.shape }], domain);
    const computed = record(made!.producer!, kernel);
    halves.set(result, type === 'float16' ? computed : castTo('float16', computed, kernel));
    unmade.add(result);
  };

  for (const each of graph.nodes) {
    if (isProduct(each, weights)) {
      halve(each, each.inputs.length, computeInFloat32 ? 'float32' : 'float16');
    } else if (MOVES.has(each.op) && unmade.has(each.inputs[0]!)) {
      halve(each, 1, 'float16');
    } else {
      each.inputs.forEach(make);
      nodes.push(each);
    }
  }
  wanted.forEach(make);
  return { nodes, leaves: graph.leaves };
}

interface Weights {
  /** Weights, and weights that were only moved. */
  values: ReadonlySet<Value>;
  /** Sizes of the matrices among them. */
  sizes: ReadonlySet<string>;
}

function weightsAmong({ leaves, nodes }: OrderedGraph, isWeight: (leaf: Value) => boolean): Weights {
  const weights = leaves.filter(isWeight);
  const values = new Set(weights);
  for (const { op, inputs, outputs } of nodes)
    if (MOVES.has(op) && values.has(inputs[0]!)) values.add(outputs[0]!);
  return { values, sizes: new Set(weights.map(({ shape }) => sizeKey(shape))) };
}

/** The same for a matrix and its transpose. */
const sizeKey = (shape: readonly number[]): string => shape.toSorted((a, b) => a - b).join('×');

/**
 * Products of two matrices neither of which is a weight stay in float32: the similarities of the contrastive loss, whose error
 * the temperature multiplies. leftᵀ · right in the size of a weight is its gradient. A product with ones is a sum.
 */
function isProduct({ op, inputs, outputs, attributes }: GraphNode, weights: Weights): boolean {
  const [result] = outputs as [Value];
  if (!PRODUCTS.has(op) || result.type !== 'float32') return false;
  const operands = inputs.slice(0, 2) as [Value, Value];
  if (operands.some(({ uniform }) => uniform !== undefined)) return false;
  if (result.shape.length > 2 || operands.some((operand) => weights.values.has(operand))) return true;
  return attributes.transA === 1 && weights.sizes.has(sizeKey(result.shape));
}

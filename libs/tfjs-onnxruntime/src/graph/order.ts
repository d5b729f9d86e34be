/**
 * Orders the pending part of a graph: the nodes that the wanted values need, inputs before users.
 * Nodes that no wanted value needs never appear, which is the dead-node elimination.
 */
import type { GraphNode, Value } from './value.js';

export interface OrderedGraph {
  nodes: GraphNode[];
  /** Values with data or a placeholder that the nodes (or the wanted values themselves) read, in order of first use. */
  leaves: Value[];
}

/** @param wanted values to compute; those that are already known become leaves. */
export function order(wanted: readonly Value[]): OrderedGraph {
  const nodes: GraphNode[] = [];
  const leaves: Value[] = [];
  const seenLeaves = new Set<Value>();
  const state = new Map<GraphNode, boolean>(); // false: open, true: done
  const leaf = (value: Value): void => {
    if (seenLeaves.has(value)) return;
    seenLeaves.add(value);
    leaves.push(value);
  };
  const stack: { node: GraphNode; next: number }[] = [];
  const visit = (value: Value): void => {
    if (value.producer === undefined) return leaf(value);
    if (state.has(value.producer)) return;
    state.set(value.producer, false);
    stack.push({ node: value.producer, next: 0 });
  };
  for (const value of wanted) {
    visit(value);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      if (top.next < top.node.inputs.length) {
        const input = top.node.inputs[top.next++];
        if (input !== undefined) visit(input);
      } else {
        state.set(top.node, true);
        nodes.push(top.node);
        stack.pop();
      }
    }
  }
  return { nodes, leaves };
}

/**
 * A string that is equal for two graphs exactly when one compiled session serves both: same ops, attributes,
 * wiring, shapes and element types, same inline constants, same wanted outputs.
 */
export function structureKey(graph: OrderedGraph, wanted: readonly Value[]): string {
  const index = new Map<Value, number>();
  const parts: string[] = [];
  const name = (value: Value): number => {
    let i = index.get(value);
    if (i === undefined) {
      i = index.size;
      index.set(value, i);
    }
    return i;
  };
  for (const value of graph.leaves) {
    const contents = value.inline ? `=${value.data!.join(',')}` : `@${value.placeholder ?? ''}`;
    parts.push(`${name(value)}:${value.type}[${value.shape.join(',')}]${contents}`);
  }
  for (const node of graph.nodes) {
    let part = `${node.op}(`;
    for (const input of node.inputs) part += input === undefined ? '_,' : `${name(input)},`;
    part += ')';
    for (const key in node.attributes) part += ` ${key}=${attributeKey(node.attributes[key]!)}`;
    for (const output of node.outputs) part += `>${name(output)}:${output.type}[${output.shape.join(',')}]`;
    parts.push(part);
  }
  parts.push(wanted.map(name).join(','));
  return parts.join('\n');
}

function attributeKey(value: GraphNode['attributes'][string]): string {
  if (typeof value === 'object' && 'body' in value) {
    const { inputs, outputs } = value.body;
    return `{${inputs.length}${structureKey(order(outputs), outputs)}}`;
  }
  if (typeof value === 'object' && 'id' in value) return `tensor:${value.data!.join(',')}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

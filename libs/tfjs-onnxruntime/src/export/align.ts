/**
 * Compares traces of one function at different sizes: they must be the same graph, and may differ only in the
 * contents of integer constants and in shapes.
 */
import { EngineError } from '../errors.js';
import { order, type OrderedGraph } from '../graph/order.js';
import { sameShape } from '../graph/shape.js';
import type { GraphNode, Value } from '../graph/value.js';
import type { Trace } from '../replay/trace.js';

export interface AlignedTraces {
  graphs: OrderedGraph[];
  /** Constants of the first graph whose contents differ, with their counterparts (the constant itself first). */
  varying: Value[][];
}

export function align(traces: readonly Trace[]): AlignedTraces {
  const graphs = traces.map((t) => order([...t.outputs.values()]));
  const [first, ...others] = graphs as [OrderedGraph, ...OrderedGraph[]];
  const index = new Map<Value, string>();
  const varying: Value[][] = [];
  for (const other of others) {
    if (other.nodes.length !== first.nodes.length || other.leaves.length !== first.leaves.length) {
      throw depends('the number of recorded ops', first.nodes[0]);
    }
  }
  first.leaves.forEach((leaf, i) => {
    const all = [leaf, ...others.map((g) => g.leaves[i]!)];
    all.forEach((value) => index.set(value, `leaf${i}`));
    if (all.some((value) => value.placeholder !== leaf.placeholder || value.inline !== leaf.inline)) {
      throw depends('the order of inputs and constants');
    }
    if (leaf.data === undefined || all.every((value) => sameContents(value, leaf))) return;
    const integers = leaf.type === 'int64' || leaf.type === 'int32';
    if (!leaf.inline || !integers || all.some((value) => !sameShape(value.shape, leaf.shape))) {
      const user = first.nodes.find((n) => n.inputs.includes(leaf));
      throw depends(`a ${leaf.type} constant of shape [${leaf.shape.join(',')}]`, user);
    }
    varying.push(all);
  });
  first.nodes.forEach((node, i) => {
    const all = [node, ...others.map((g) => g.nodes[i]!)];
    all.forEach((n) => n.outputs.forEach((value, k) => index.set(value, `node${i}.${k}`)));
    const key = wiring(node, index);
    if (all.some((n) => wiring(n, index) !== key)) throw depends(`the op ${node.op} or its attributes`, node);
  });
  return { graphs, varying };
}

function sameContents(a: Value, b: Value): boolean {
  if (a.data === b.data) return sameShape(a.shape, b.shape);
  return sameShape(a.shape, b.shape) && a.data!.every((x, i) => Object.is(x, b.data![i]));
}

const wiring = (node: GraphNode, index: ReadonlyMap<Value, string>): string =>
  JSON.stringify(
    [node.op, node.attributes, node.inputs.map((v) => (v ? index.get(v) : null))],
    (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v),
  );

function depends(what: string, node?: GraphNode): EngineError {
  return new EngineError('DYNAMIC_AXIS', `${what} depends on the size of a dynamic axis.`, {
    kernel: node?.kernel,
    shapes: node?.inputs.flatMap((v) => (v ? [v.shape] : [])),
    hint: 'Compute it with ops on the inputs (tf.range, tf.ones, …) instead of in JavaScript, or make the axis static.',
  });
}

/**
 * Which AdamW updates of a step can leave its graph: the session then only delivers the gradients, and a kernel of its
 * own updates parameters and moments in place (optimizer.ts). That holds for state whose new value is exactly what one
 * FusedAdamW call made of its old value; anything else stays in the graph.
 */
import { parameterUpdateOf, type ParameterUpdate } from '../fused/adamw.js';
import type { Value } from '../graph/value.js';

export interface PlannedUpdate extends ParameterUpdate {
  /** Names of the state tensors. */
  names: { param: string; m: string; v: string };
}

/** @param next new state by name @param previous the placeholders of the old state by name */
export function planUpdates(
  next: ReadonlyMap<string, Value>,
  previous: ReadonlyMap<string, Value>,
): PlannedUpdate[] {
  const stateOf = new Map([...previous].map(([name, value]) => [value, name]));
  const planned: PlannedUpdate[] = [];
  for (const [name, value] of next) {
    const update = parameterUpdateOf(value);
    if (update === undefined || value.type !== 'float32') continue;
    const param = stateOf.get(update.param);
    const m = stateOf.get(update.m);
    const v = stateOf.get(update.v);
    if (param !== name || m === undefined || v === undefined) continue;
    if (next.get(m) !== update.newM || next.get(v) !== update.newV) continue;
    planned.push({ ...update, grad: unshaped(update.grad), names: { param, m, v } });
  }
  return planned;
}

/** The value in front of a Reshape: the kernel sees numbers in a row, and a Reshape that ends a graph is a copy. */
const unshaped = (value: Value): Value =>
  value.producer?.op === 'Reshape' ? value.producer.inputs[0]! : value;

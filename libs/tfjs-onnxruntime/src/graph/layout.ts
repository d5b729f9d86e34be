/** Ops that move elements without computing on them. */
import { op } from './ops.js';
import { sameShape, sizeOf } from './shape.js';
import { constant, int64s, node, scalar, withShape, type ElementType, type Value } from './value.js';

export function reshape(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  if (x.data !== undefined) return withShape(x, shape);
  const source = x.producer?.op === 'Reshape' ? x.producer.inputs[0]! : x;
  if (sameShape(source.shape, shape)) return source;
  return node('Reshape', [source, int64s(shape)], { allowzero: 1 }, [
    { type: x.type, shape, uniform: x.uniform },
  ])[0]!;
}

export function transpose(x: Value, perm: readonly number[]): Value {
  const shape = perm.map((p) => x.shape[p]!);
  const moved = perm.filter((p) => x.shape[p] !== 1);
  if (moved.every((p, i) => i === 0 || p > moved[i - 1]!)) return reshape(x, shape);
  if (x.producer?.op === 'Transpose') {
    const inner = x.producer.attributes.perm as readonly number[];
    return transpose(
      x.producer.inputs[0]!,
      perm.map((p) => inner[p]!),
    );
  }
  const rows = movesRows(x, perm) ? rowOrder(x.shape, perm) : undefined;
  if (rows) {
    const [B, run] = [x.shape[0]!, x.shape.at(-1)!];
    return reshape(
      gather(reshape(x, [B, rows.length, run]), constant('int32', [rows.length], rows), 1),
      shape,
    );
  }
  return op('Transpose', [x], shape, x.type, { perm });
}

/**
 * Whether a permutation moves whole rows inside each item of a large batch, as cutting images into patches does. ONNX
 * Runtime's Gather does that on all threads, its Transpose of that many axes on one.
 */
function movesRows(x: Value, perm: readonly number[]): boolean {
  const last = perm.length - 1;
  const inner = perm[0] === 0 && perm[last] === last;
  return perm.length >= 5 && inner && x.shape[last]! >= 16 && sizeOf(x.shape) >= 1 << 21;
}

/** Which row of an item of the source each row of the result is; axes 1 … -2 are permuted. */
function rowOrder(shape: readonly number[], perm: readonly number[]): number[] {
  let rows = [0];
  for (const axis of perm.slice(1, -1)) {
    const stride = sizeOf(shape.slice(axis + 1, -1));
    const size = shape[axis]!;
    rows = rows.flatMap((row) => Array.from({ length: size }, (_, i) => row + i * stride));
  }
  return rows;
}

export function expand(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  return node('Expand', [x, int64s(shape)], {}, [{ type: x.type, shape, uniform: x.uniform }])[0]!;
}

/** A tensor filled with one number. */
export const filled = (value: number, type: ElementType, shape: readonly number[]): Value =>
  expand(scalar(value, type), shape);

export interface SliceRange {
  axis: number;
  start: number;
  /** Exclusive; for a negative step -shape-1 or less means "past the first element". */
  end: number;
  step?: number;
}

/** ONNX Slice over the listed axes; `shape` of the result is computed from in-range starts and ends. */
export function slice(x: Value, ranges: readonly SliceRange[]): Value {
  const used = ranges.filter((r) => r.start !== 0 || r.end !== x.shape[r.axis] || (r.step ?? 1) !== 1);
  if (used.length === 0) return x;
  const shape = [...x.shape];
  for (const { axis, start, end, step = 1 } of used) {
    const stop = step < 0 ? Math.max(end, -1) : end;
    const last = step < 0 && end < -1 ? -1 : stop;
    shape[axis] = Math.max(0, Math.ceil((last - start) / step));
  }
  const steps = used.map((r) => r.step ?? 1);
  const inputs = [
    x,
    int64s(used.map((r) => r.start)),
    int64s(used.map((r) => ((r.step ?? 1) < 0 && r.end < 0 ? -(2 ** 40) : r.end))),
    int64s(used.map((r) => r.axis)),
    ...(steps.every((s) => s === 1) ? [] : [int64s(steps)]),
  ];
  return op('Slice', inputs, shape, x.type);
}

export function concat(values: readonly Value[], axis: number): Value {
  const used = values.filter((v) => v.shape[axis] !== 0);
  const parts = used.length > 0 ? used : values.slice(0, 1);
  if (parts.length === 1) return parts[0]!;
  const shape = [...parts[0]!.shape];
  shape[axis] = parts.reduce((n, v) => n + v.shape[axis]!, 0);
  return op('Concat', parts, shape, parts[0]!.type, { axis });
}

/** Rows of `x` along `axis`; indices int32 or int64. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return op('Gather', [x, indices], shape, x.type, { axis });
}

export function pad(
  x: Value,
  before: readonly number[],
  after: readonly number[],
  value = 0,
  mode = 'constant',
): Value {
  if ([...before, ...after].every((n) => n === 0)) return x;
  const shape = x.shape.map((d, i) => d + before[i]! + after[i]!);
  const inputs = [x, int64s([...before, ...after]), ...(mode === 'constant' ? [scalar(value, x.type)] : [])];
  return op('Pad', inputs, shape, x.type, { mode });
}

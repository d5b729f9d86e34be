/**
 * The vocabulary kernels are written in: functions from values to values that record ONNX nodes (opset 20),
 * infer the shapes, and record nothing where an identity holds.
 */
import { broadcastShapes, normalizeAxes, range, reducedShape, sameShape, sizeOf } from './shape.js';
import {
  constant,
  int64s,
  node,
  scalar,
  withShape,
  type AttributeValue,
  type ElementType,
  type GraphNode,
  type Value,
} from './value.js';

type Attributes = Readonly<Record<string, AttributeValue>>;

/** A node with one output. */
export function op(
  name: string,
  inputs: readonly (Value | undefined)[],
  shape: readonly number[],
  type: ElementType,
  attributes: Attributes = {},
  domain: GraphNode['domain'] = '',
): Value {
  return node(name, inputs, attributes, [{ type, shape }], domain)[0]!;
}

export const unary = (
  name: string,
  x: Value,
  type: ElementType = x.type,
  attributes: Attributes = {},
): Value => op(name, [x], x.shape, type, attributes);

export const binary = (name: string, a: Value, b: Value, type: ElementType = a.type): Value =>
  op(name, [a, b], broadcastShapes(a.shape, b.shape), type);

/** A scalar of the element type of `like`. */
const literal = (x: Value | number, like: Value): Value => (typeof x === 'number' ? scalar(x, like.type) : x);

/** When `x` equals the neutral element everywhere and does not widen the shape, the other operand is the result. */
function neutral(x: Value, uniform: number, other: Value): boolean {
  return x.uniform === uniform && sameShape(broadcastShapes(x.shape, other.shape), other.shape);
}

export function add(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  if (neutral(y, 0, a)) return a;
  return neutral(a, 0, y) ? y : binary('Add', a, y);
}
export function sub(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  return neutral(y, 0, a) ? a : binary('Sub', a, y);
}
export function mul(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  if (neutral(y, 1, a)) return a;
  return neutral(a, 1, y) ? y : binary('Mul', a, y);
}
export function div(a: Value, b: Value | number): Value {
  const y = literal(b, a);
  return neutral(y, 1, a) && a.type === 'float32' ? a : binary('Div', a, y);
}
export const neg = (x: Value): Value => unary('Neg', x);
export const sqrt = (x: Value): Value => unary('Sqrt', x);
export const exp = (x: Value): Value => unary('Exp', x);
export const not = (x: Value): Value => unary('Not', x);
export const equal = (a: Value, b: Value): Value => binary('Equal', a, b, 'bool');
export const greater = (a: Value, b: Value | number): Value => binary('Greater', a, literal(b, a), 'bool');
export const less = (a: Value, b: Value | number): Value => binary('Less', a, literal(b, a), 'bool');

const ONNX_TYPE: Readonly<Record<ElementType, number>> = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};

export function cast(x: Value, type: ElementType): Value {
  if (x.type === type) return x;
  if (x.uniform !== undefined && x.inline && sizeOf(x.shape) === 1) {
    const n =
      type === 'float32' ? x.uniform : type === 'bool' ? Number(x.uniform !== 0) : Math.trunc(x.uniform);
    return constant(type, x.shape, [n]);
  }
  return unary('Cast', x, type, { to: ONNX_TYPE[type] });
}

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
 * Whether a permutation moves whole rows inside each item of a large batch, as cutting images into patches does.
 * ONNX Runtime's Gather does that on all threads, its Transpose of so many axes on one.
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

export type Reduction =
  'ReduceSum' | 'ReduceMean' | 'ReduceMax' | 'ReduceMin' | 'ReduceProd' | 'ReduceSumSquare';

export function reduce(
  name: Reduction,
  x: Value,
  axis: number | readonly number[] | null | undefined,
  keepDims = false,
): Value {
  const axes = normalizeAxes(axis, x.shape.length);
  const shape = reducedShape(x.shape, axes, keepDims);
  const square = x.producer?.op === 'Mul' && x.producer.inputs[0] === x.producer.inputs[1];
  if (name === 'ReduceSum' && square && x.type === 'float32') {
    return reduce('ReduceSumSquare', x.producer!.inputs[0]!, axis, keepDims);
  }
  if (name !== 'ReduceSumSquare' && axes.every((a) => x.shape[a] === 1)) return reshape(x, shape);
  const leading = axes.length < x.shape.length && axes.every((a, i) => a === i);
  if (name === 'ReduceSum' && leading && x.type === 'float32' && sizeOf(x.shape) >= LARGE_SUM) {
    const D = sizeOf(x.shape.slice(axes.length));
    return reshape(columnSum(reshape(x, [sizeOf(x.shape) / D, D])), shape);
  }
  return op(name, [x, int64s(axes)], shape, x.type, { keepdims: keepDims ? 1 : 0 });
}

/** Elements from which a sum over rows is worth more than one node. */
const LARGE_SUM = 1 << 17;

/**
 * [N,D] → [D], the sum over rows. ONNX Runtime's ReduceSum is slow at it, most of all for few columns (measured: 1.3 ms
 * for 25088×96, in the two ways here 0.3 and 0.5 ms).
 */
export function columnSum(x: Value): Value {
  const [N, D] = x.shape as [number, number];
  const parts = 64;
  if (D <= 512 && N >= 4096 && N % parts === 0) {
    const few = op('ReduceSum', [reshape(x, [N / parts, parts * D]), int64s([0])], [parts * D], x.type, {
      keepdims: 0,
    });
    return op('ReduceSum', [reshape(few, [parts, D]), int64s([0])], [D], x.type, { keepdims: 0 });
  }
  return reshape(matMul(filled(1, x.type, [1, N]), x), [D]);
}

/** Sums over the axes along which `shape` was broadcast to `x.shape`. */
export function sumTo(x: Value, shape: readonly number[]): Value {
  if (sameShape(x.shape, shape)) return x;
  const offset = x.shape.length - shape.length;
  const axes = range(x.shape.length).filter(
    (i) => i < offset || (shape[i - offset] === 1 && x.shape[i] !== 1),
  );
  return reshape(reduce('ReduceSum', x, axes, true), shape);
}

export function where(condition: Value, a: Value, b: Value): Value {
  if (a.type === 'bool') {
    // ONNX Runtime has no Where for bools.
    return binary(
      'Or',
      binary('And', condition, a, 'bool'),
      binary('And', not(condition), b, 'bool'),
      'bool',
    );
  }
  return op('Where', [condition, a, b], broadcastShapes(condition.shape, a.shape, b.shape), a.type);
}

/** Rows of `x` along `axis`; indices int32 or int64. */
export function gather(x: Value, indices: Value, axis = 0): Value {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return op('Gather', [x, indices], shape, x.type, { axis });
}

export interface MatMulOptions {
  transposeA?: boolean;
  transposeB?: boolean;
  /** Factor on the product. */
  alpha?: number;
}

/** Matrix product over the last two axes with broadcast leading axes: Gemm for rank 2, FusedMatMul otherwise. */
export function matMul(a: Value, b: Value, options: MatMulOptions = {}): Value {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  const m = a.shape.at(transposeA ? -1 : -2)!;
  const n = b.shape.at(transposeB ? -2 : -1)!;
  if (a.shape.length === 2 && b.shape.length === 2) return gemm(a, b, undefined, options);
  const shape = [...broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  if (!transposeA && !transposeB && alpha === 1) return op('MatMul', [a, b], shape, a.type);
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: alpha } };
  return op('FusedMatMul', [a, b], shape, a.type, attributes, 'com.microsoft');
}

/** α·A·B + C of matrices; C broadcasts to [M,N]. */
export function gemm(a: Value, b: Value, c: Value | undefined, options: MatMulOptions = {}): Value {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  const shape = [a.shape[transposeA ? 1 : 0]!, b.shape[transposeB ? 0 : 1]!];
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0, alpha: { float: alpha } };
  return op('Gemm', c ? [a, b, c] : [a, b], shape, a.type, attributes);
}

export const softmax = (x: Value, axis = -1): Value =>
  op('Softmax', [x], x.shape, x.type, { axis: axis < 0 ? axis + x.shape.length : axis });

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

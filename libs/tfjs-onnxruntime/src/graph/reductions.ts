/** Reductions along axes, in the form that is fastest in ONNX Runtime, and the softmax. */
import { filled, reshape } from './layout.js';
import { op } from './ops.js';
import { matMul } from './products.js';
import { normalizeAxes, range, reducedShape, sameShape, sizeOf } from './shape.js';
import { int64s, type Value } from './value.js';

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
  if (
    name === 'ReduceSum' &&
    x.companions?.columnSum &&
    axes.length === x.shape.length - 1 &&
    !axes.includes(axes.length)
  ) {
    return reshape(x.companions.columnSum, shape);
  }
  const leading = axes.length < x.shape.length && axes.every((a, i) => a === i);
  if (name === 'ReduceSum' && leading && x.type === 'float32' && sizeOf(x.shape) >= LARGE_SUM) {
    const D = sizeOf(x.shape.slice(axes.length));
    return reshape(columnSum(reshape(x, [sizeOf(x.shape) / D, D])), shape);
  }
  return op(name, [x, int64s(axes)], shape, x.type, { keepdims: keepDims ? 1 : 0 });
}

/** From this many elements on, a sum over rows is split into several nodes. */
const LARGE_SUM = 1 << 17;

/**
 * [N,D] → [D], the sum over rows. ONNX Runtime's ReduceSum is slower at it than the two ways here, most of all for few
 * columns.
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

export const softmax = (x: Value, axis = -1): Value =>
  op('Softmax', [x], x.shape, x.type, { axis: axis < 0 ? axis + x.shape.length : axis });

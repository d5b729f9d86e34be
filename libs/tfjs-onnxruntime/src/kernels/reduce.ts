/** Reductions, arg-reductions, cumulative sums, softmax. */
import type * as tf from '@tensorflow/tfjs-core';
import { pad, reshape, slice } from '../graph/layout.js';
import { binary, cast, greater, mul, op, unary, where } from '../graph/ops.js';
import { reduce, softmax } from '../graph/reductions.js';
import { normalizeAxes, reducedShape } from '../graph/shape.js';
import { int64s, node, scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

interface AxisAttrs {
  axis: number | number[];
  keepDims: boolean;
}

const numeric = (x: Value): Value => (x.type === 'bool' ? cast(x, 'int32') : x);

/** Maximum or minimum; NaN if any element is NaN, which ONNX Runtime's reductions may ignore. */
function extremum(
  name: 'ReduceMax' | 'ReduceMin',
  x: Value,
  axis: number | readonly number[] | null | undefined,
  keepDims: boolean,
): Value {
  const result = reduce(name, x, axis, keepDims);
  if (x.type !== 'float32' || result.producer?.op !== name) return result;
  const hasNaN = reduce('ReduceMax', cast(unary('IsNaN', x, 'bool'), 'int32'), axis, keepDims);
  return where(cast(hasNaN, 'bool'), scalar(NaN), result);
}

const reductions: KernelDefinition[] = [
  define<'x', AxisAttrs>('Sum', ({ x }, { axis, keepDims }) =>
    reduce('ReduceSum', numeric(x), axis, keepDims),
  ),
  define<'x', AxisAttrs>('Mean', ({ x }, { axis, keepDims }) =>
    reduce('ReduceMean', cast(x, 'float32'), axis, keepDims),
  ),
  define<'x', AxisAttrs>('Prod', ({ x }, { axis, keepDims }) =>
    reduce('ReduceProd', numeric(x), axis, keepDims),
  ),
  define<'x', tf.MaxAttrs>('Max', ({ x }, { reductionIndices, keepDims }) =>
    extremum('ReduceMax', numeric(x), reductionIndices, keepDims),
  ),
  define<'x', AxisAttrs>('Min', ({ x }, { axis, keepDims }) =>
    extremum('ReduceMin', numeric(x), axis, keepDims),
  ),
  define<'x', AxisAttrs>('All', ({ x }, { axis, keepDims }) =>
    cast(reduce('ReduceMin', cast(x, 'int32'), axis, keepDims), 'bool'),
  ),
  define<'x', AxisAttrs>('Any', ({ x }, { axis, keepDims }) =>
    greater(reduce('ReduceMax', cast(x, 'int32'), axis, keepDims), 0),
  ),
];

/** NaN is neither the maximum nor the minimum. */
function withoutNaN(x: Value, name: 'ArgMax' | 'ArgMin'): Value {
  if (x.type !== 'float32') return x;
  return where(unary('IsNaN', x, 'bool'), scalar(name === 'ArgMax' ? -Infinity : Infinity), x);
}

function argReduce(name: 'ArgMax' | 'ArgMin', x: Value, axis: number): Value {
  const [a] = normalizeAxes(axis, x.shape.length);
  const shape = reducedShape(x.shape, [a!], false);
  return cast(op(name, [withoutNaN(numeric(x), name)], shape, 'int64', { axis: a!, keepdims: 0 }), 'int32');
}

/** Scalars count as vectors of one element. */
const vector = (x: Value): Value => (x.shape.length === 0 ? reshape(x, [1]) : x);

const argReductions = (['ArgMax', 'ArgMin'] as const).map((name) =>
  define<'x', { axis: number }>(name, ({ x }, { axis }) => argReduce(name, vector(x), axis)),
);

const cumulative: KernelDefinition[] = [
  define<'x', tf.CumsumAttrs>('Cumsum', ({ x }, { axis, exclusive, reverse }) => {
    const input = vector(numeric(x));
    const [a] = normalizeAxes(axis, input.shape.length);
    const attributes = { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 };
    const sums = op('CumSum', [input, reshape(int64s([a!]), [])], input.shape, input.type, attributes);
    return reshape(sums, x.shape);
  }),
];

/** Products of 1, 2, 4, … neighbours: log₂ n multiplications of the whole tensor, since ONNX has only the sum. */
function cumulativeProduct(x: Value, axis: number): Value {
  const n = x.shape[axis]!;
  const zeros = x.shape.map(() => 0);
  let result = x;
  for (let step = 1; step < n; step *= 2) {
    const before = zeros.with(axis, step);
    result = mul(result, pad(slice(result, [{ axis, start: 0, end: n - step }]), before, zeros, 1));
  }
  return result;
}

function shiftedByOne(x: Value, axis: number): Value {
  const zeros = x.shape.map(() => 0);
  return pad(slice(x, [{ axis, start: 0, end: x.shape[axis]! - 1 }]), zeros.with(axis, 1), zeros, 1);
}

const cumulativeProducts = define<'x', tf.CumprodAttrs>('Cumprod', ({ x }, { axis, exclusive, reverse }) => {
  const numbers = vector(numeric(x));
  const [a] = normalizeAxes(axis, numbers.shape.length);
  const n = numbers.shape[a!]!;
  const flipped = (value: Value): Value =>
    reverse ? slice(value, [{ axis: a!, start: n - 1, end: -1 - n, step: -1 }]) : value;
  const input = flipped(numbers);
  return reshape(flipped(cumulativeProduct(exclusive ? shiftedByOne(input, a!) : input, a!)), x.shape);
});

const normalisations: KernelDefinition[] = [
  define<'logits', { dim: number }>('Softmax', ({ logits }, { dim }) =>
    softmax(cast(logits, 'float32'), dim),
  ),
  define<'logits', { axis: number }>('LogSoftmax', ({ logits }, { axis }) => {
    const [a] = normalizeAxes(axis, logits.shape.length);
    return unary('LogSoftmax', cast(logits, 'float32'), 'float32', { axis: a! });
  }),
];

/** Batch normalisation with given statistics over the last axis. */
const batchNorm = define<'x' | 'mean' | 'variance' | 'offset' | 'scale', tf.FusedBatchNormAttrs>(
  'FusedBatchNorm',
  ({ x, mean, variance, offset, scale }, { varianceEpsilon }) => {
    const inverse = unary('Reciprocal', unary('Sqrt', binary('Add', variance, scalar(varianceEpsilon))));
    const factor = scale ? binary('Mul', inverse, scale) : inverse;
    const product = binary('Mul', x, factor);
    const shift = binary('Mul', mean, factor);
    return binary('Add', product, offset ? binary('Sub', offset, shift) : unary('Neg', shift));
  },
);

/** Always sorted, which `sorted: false` allows too; equal elements come in ascending order of their indices. */
const topK = define<'x', tf.TopKAttrs>('TopK', ({ x }, { k }) => {
  const shape = [...x.shape.slice(0, -1), k];
  const attributes = { axis: x.shape.length - 1, sorted: 1 };
  const outputs = [
    { type: x.type, shape },
    { type: 'int64' as const, shape },
  ];
  const [values, indices] = node('TopK', [x, int64s([k])], attributes, outputs);
  return [values!, cast(indices!, 'int32')];
});

export const reduceKernels: KernelDefinition[] = [
  ...reductions,
  ...argReductions,
  ...cumulative,
  cumulativeProducts,
  ...normalisations,
  batchNorm,
  topK,
];

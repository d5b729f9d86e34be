/** Indexing kernels: gather, scatter, segment sums. ONNX wants int64 indices for scatters. */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { expand, filled, gather, reshape, transpose } from '../graph/layout.js';
import { binary, cast, greater, less, mul, not, op, where } from '../graph/ops.js';
import { reduce } from '../graph/reductions.js';
import { normalizeAxes, range, sizeOf } from '../graph/shape.js';
import { int64s, scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

/** Indices as integers; TensorFlow.js also passes float indices. */
const integers = (indices: Value): Value => (indices.type === 'int64' ? indices : cast(indices, 'int32'));

/** Writes rows of `updates` at `indices` [.., K] into `base`. */
export const scatter = (base: Value, indices: Value, updates: Value): Value =>
  op('ScatterND', [base, cast(indices, 'int64'), updates], base.shape, base.type);

/**
 * Rows of `rows` [N, ...] summed by their id [N] into `count` rows.
 *
 * Not with ScatterND: ONNX Runtime splits its updates among threads without synchronising them, so additions to the same
 * row can be lost. ScatterElements adds on one thread.
 */
export function scatterAdd(rows: Value, ids: Value, count: number): Value {
  const [N] = ids.shape as [number];
  const slice = rows.shape.slice(1);
  const D = sizeOf(slice);
  const positions = expand(reshape(cast(ids, 'int64'), [N, 1]), [N, D]);
  const operands = [filled(0, rows.type, [count, D]), positions, reshape(rows, [N, D])];
  const sums = op('ScatterElements', operands, [count, D], rows.type, { axis: 0, reduction: 'add' });
  return reshape(sums, [count, ...slice]);
}

/** Rows of `x` summed by their segment id; ids outside [0, numSegments) do not occur. */
const segmentSum = (x: Value, ids: Value, numSegments: number): Value => {
  const N = sizeOf(ids.shape);
  return scatterAdd(reshape(x, [N, ...x.shape.slice(ids.shape.length)]), reshape(ids, [N]), numSegments);
};

/** Row-major positions of `indices` [N, K] in an array of shape `dims` [K]; one past the end where an index is out of range. */
function flatPositions(indices: Value, dims: readonly number[]): Value {
  const strides = dims.map((_, k) => sizeOf(dims.slice(k + 1)));
  const whole = cast(indices, 'int64');
  const flat = reduce('ReduceSum', mul(whole, int64s(strides)), [1]);
  const outside = binary(
    'Or',
    less(whole, scalar(0, 'int64')),
    not(binary('Less', whole, int64s(dims), 'bool')),
    'bool',
  );
  const any = greater(reduce('ReduceMax', cast(outside, 'int32'), [1]), 0);
  return where(any, scalar(sizeOf(dims), 'int64'), flat);
}

/** The ids before they were reshaped or converted. */
function origin(ids: Value): Value {
  const { producer } = ids;
  return producer?.op === 'Reshape' || producer?.op === 'Cast' ? origin(producer.inputs[0]!) : ids;
}

/**
 * Rows with a negative id are ignored: they add zero to segment 0. Nothing is recorded for ids that are known to be
 * valid, nor for inputs of a traced function (token ids in a training step), which must be valid.
 */
function dropNegativeIds(x: Value, ids: Value): [rows: Value, ids: Value] {
  const { data, placeholder } = origin(ids);
  if (placeholder !== undefined || (data && !(data as Int32Array).some((id) => id < 0))) return [x, ids];
  const whole = integers(ids);
  const negative = reshape(less(whole, 0), [...ids.shape, ...x.shape.slice(ids.shape.length).map(() => 1)]);
  return [where(negative, scalar(0, x.type), x), op('Max', [whole, scalar(0, 'int32')], ids.shape, 'int32')];
}

/** The properties of a tensor that tfjs-core's shape functions read. */
const shapeOnly = ({ shape, type }: Value): tf.Tensor =>
  ({ shape: [...shape], rank: shape.length, dtype: type }) as unknown as tf.Tensor;

/** Checks the shapes, and the indices themselves where they are known already. */
function checkGather(x: Value, indices: Value, axis: number, batchDims: number): void {
  tf.backend_util.segment_util.collectGatherOpShapeInfo(shapeOnly(x), shapeOnly(indices), axis, batchDims);
  const size = x.shape[axis]!;
  const outside = (indices.data as Int32Array | undefined)?.find((index) => index < 0 || index >= size);
  if (outside !== undefined) {
    throw new EngineError('BAD_INPUT', `the index value ${outside} is not in [0, ${size - 1}]`, {
      kernel: 'GatherV2',
    });
  }
}

function batchedGather(x: Value, indices: Value, a: number, batchDims: number): Value {
  const batch = sizeOf(x.shape.slice(0, batchDims));
  const outer = x.shape.slice(batchDims, a);
  const inner = x.shape.slice(a + 1);
  const picked = indices.shape.slice(batchDims);
  // [batch, axis, outer·inner] rows are addressed by a pair (batch, index).
  const outerAxes = range(outer.length).map((i) => batchDims + i);
  const perm = [...range(batchDims), a, ...outerAxes, ...range(inner.length).map((i) => a + 1 + i)];
  const rows = reshape(transpose(x, perm), [batch, x.shape[a]!, ...outer, ...inner]);
  const flat = reshape(integers(indices), [batch, sizeOf(picked), 1]);
  const result = op(
    'GatherND',
    [rows, cast(flat, 'int64')],
    [batch, sizeOf(picked), ...outer, ...inner],
    x.type,
    { batch_dims: 1 },
  );
  const n = picked.length;
  const split = reshape(result, [...x.shape.slice(0, batchDims), ...picked, ...outer, ...inner]);
  const back = [
    ...range(batchDims),
    ...range(outer.length).map((i) => batchDims + n + i),
    ...range(n).map((i) => batchDims + i),
    ...range(inner.length).map((i) => batchDims + n + outer.length + i),
  ];
  return transpose(split, back);
}

export const gatherKernels: KernelDefinition[] = [
  define<'x' | 'indices', tf.GatherV2Attrs>('GatherV2', ({ x, indices }, { axis, batchDims }) => {
    const a = normalizeAxes(axis, x.shape.length)[0]!;
    checkGather(x, indices, a, batchDims);
    const dims = batchDims < 0 ? batchDims + indices.shape.length : batchDims;
    return dims > 0 ? batchedGather(x, indices, a, dims) : gather(x, integers(indices), a);
  }),
  define<'params' | 'indices'>('GatherNd', ({ params, indices }) => {
    tf.gather_util.prepareAndValidate(shapeOnly(params), shapeOnly(indices));
    const depth = indices.shape.at(-1)!;
    const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)];
    return op('GatherND', [params, cast(indices, 'int64')], shape, params.type);
  }),
  define<'indices' | 'updates', tf.ScatterNdAttrs>('ScatterNd', ({ indices, updates }, { shape }) => {
    const { sliceRank, numUpdates, sliceSize } = tf.backend_util.calculateShapes(
      { shape: [...updates.shape] } as tf.Tensor,
      { shape: [...indices.shape] } as tf.Tensor,
      shape,
    );
    const rows = reshape(updates, [
      numUpdates,
      ...(sliceSize === sizeOf(shape.slice(sliceRank)) ? shape.slice(sliceRank) : [sliceSize]),
    ]);
    const dims = shape.slice(0, sliceRank);
    const positions = flatPositions(reshape(indices, [numUpdates, sliceRank]), dims);
    return reshape(scatterAdd(rows, positions, sizeOf(dims)), shape);
  }),
  define<'tensor' | 'indices' | 'updates'>('TensorScatterUpdate', ({ tensor, indices, updates }) =>
    scatter(tensor, indices, updates),
  ),
  define<'x' | 'segmentIds', tf.UnsortedSegmentSumAttrs>(
    'UnsortedSegmentSum',
    ({ x, segmentIds }, { numSegments }) => {
      const [rows, ids] = dropNegativeIds(x, segmentIds);
      return segmentSum(rows, ids, numSegments);
    },
  ),
];

/** Indexing kernels: gather, scatter, segment sums. ONNX wants int64 indices for scatters. */
import * as tf from '@tensorflow/tfjs-core';
import { cast, filled, gather, op, reshape, transpose } from '../graph/ops.js';
import { normalizeAxes, range, sizeOf } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

/** Indices as integers; TensorFlow.js also passes float indices. */
const integers = (indices: Value): Value => (indices.type === 'int64' ? indices : cast(indices, 'int32'));

/** Adds (or writes) rows of `updates` at `indices` [.., K] into `base`. */
export function scatter(base: Value, indices: Value, updates: Value, reduction: 'add' | 'none'): Value {
  return op('ScatterND', [base, cast(indices, 'int64'), updates], base.shape, base.type, { reduction });
}

/** Rows of `x` [N, ...] summed by their segment id [N]; ids outside [0, numSegments) do not occur. */
export function segmentSum(x: Value, ids: Value, numSegments: number): Value {
  const shape = [numSegments, ...x.shape.slice(ids.shape.length)];
  return scatter(filled(0, x.type, shape), reshape(ids, [...ids.shape, 1]), x, 'add');
}

function batchedGather(x: Value, indices: Value, axis: number, batchDims: number): Value {
  const a = normalizeAxes(axis, x.shape.length)[0]!;
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
    if (batchDims > 0) return batchedGather(x, indices, axis, batchDims);
    return gather(x, integers(indices), normalizeAxes(axis, x.shape.length)[0]);
  }),
  define<'params' | 'indices'>('GatherNd', ({ params, indices }) => {
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
    return scatter(filled(0, updates.type, shape), reshape(indices, [numUpdates, sliceRank]), rows, 'add');
  }),
  define<'tensor' | 'indices' | 'updates'>('TensorScatterUpdate', ({ tensor, indices, updates }) =>
    scatter(tensor, indices, updates, 'none'),
  ),
  define<'x' | 'segmentIds', tf.UnsortedSegmentSumAttrs>(
    'UnsortedSegmentSum',
    ({ x, segmentIds }, { numSegments }) => segmentSum(x, segmentIds, numSegments),
  ),
];

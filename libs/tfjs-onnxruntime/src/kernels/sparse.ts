/**
 * Sparse tensors in coordinate form: indices [N, R], values [N], a dense shape [R]. The number of result rows depends
 * on the contents, so all but SparseToDense are computed on the host.
 */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { expand, reshape } from '../graph/layout.js';
import { define, type KernelDefinition } from './define.js';
import { scatter } from './gather.js';
import { arrayLike, defineHost, ints, type HostResult, type HostTensor, type NumberType } from './host.js';

const { backend_util } = tf;
const fail = (message: string): never => {
  throw new EngineError('BAD_INPUT', message);
};

/** Adds an entry (row, 0) with the default value to every row that has none; entries end up ordered by row. */
function fillEmptyRows(
  indices: HostTensor,
  values: HostTensor,
  denseShape: HostTensor,
  defaultValue: HostTensor,
): HostResult[] {
  const rank = indices.shape[1]!;
  const count = indices.shape[0]!;
  const rows = denseShape.data[0]!;
  const type = values.dtype as NumberType;
  if (rows === 0 && count !== 0) fail(backend_util.getSparseFillEmptyRowsIndicesDenseShapeMismatch(count));
  const entries: number[][] = Array.from({ length: rows }, () => []);
  for (let i = 0; i < count; i++) {
    const row = indices.data[i * rank]!;
    if (row < 0) fail(backend_util.getSparseFillEmptyRowsNegativeIndexErrorMessage(i, row));
    if (row >= rows) fail(backend_util.getSparseFillEmptyRowsOutOfRangeIndexErrorMessage(i, row, rows));
    entries[row]!.push(i);
  }
  const total = entries.reduce((n, row) => n + Math.max(1, row.length), 0);
  const outIndices = new Int32Array(total * rank);
  const outValues = arrayLike(type, total, 'SparseFillEmptyRows');
  const reverse = new Int32Array(count);
  let next = 0;
  entries.forEach((row, r) => {
    if (row.length === 0) {
      outIndices[next * rank] = r;
      outValues[next++] = defaultValue.data[0]!;
    }
    for (const i of row) {
      outIndices.set(indices.data.subarray(i * rank, (i + 1) * rank), next * rank);
      outValues[next] = values.data[i]!;
      reverse[i] = next++;
    }
  });
  return [
    ints(outIndices, [total, rank]),
    { dtype: type, shape: [total], data: outValues },
    { dtype: 'bool', shape: [rows], data: Uint8Array.from(entries, (row) => Number(row.length === 0)) },
    ints(reverse),
  ];
}

/** The target shape with its single -1 resolved. */
function resolveShape(inputShape: number[], target: number[]): number[] {
  const size = inputShape.reduce((n, d) => n * d, 1);
  let unknown = -1;
  let known = 1;
  target.forEach((dimension, i) => {
    if (dimension === -1) {
      if (unknown !== -1)
        fail(backend_util.getSparseReshapeMultipleNegativeOneOutputDimErrorMessage(unknown, i));
      unknown = i;
    } else if (dimension < 0) fail(backend_util.getSparseReshapeNegativeOutputDimErrorMessage(i, dimension));
    else known *= dimension;
  });
  const shape = target.map((dimension) => (dimension === -1 ? 1 : dimension));
  if (unknown !== -1) {
    if (known <= 0) fail(backend_util.getSparseReshapeEmptyTensorZeroOutputDimErrorMessage());
    const inferred = Math.trunc(size / known);
    if (known * inferred !== size)
      fail(backend_util.getSparseReshapeInputOutputMultipleErrorMessage(inputShape, shape));
    shape[unknown] = inferred;
  }
  if (shape.reduce((n, d) => n * d, 1) !== size)
    fail(backend_util.getSparseReshapeInputOutputMismatchErrorMessage(inputShape, shape));
  return shape;
}

function sparseReshape(inputIndices: HostTensor, inputShape: HostTensor, newShape: HostTensor): HostResult[] {
  const from = [...inputShape.data];
  const to = resolveShape(from, [...newShape.data]);
  const count = inputIndices.shape[0]!;
  const indices = new Int32Array(count * to.length);
  for (let i = 0; i < count; i++) {
    let flat = 0;
    for (let d = 0; d < from.length; d++) flat = flat * from[d]! + inputIndices.data[i * from.length + d]!;
    for (let d = to.length - 1; d >= 0; d--) {
      indices[i * to.length + d] = flat % to[d]!;
      flat = Math.floor(flat / to[d]!);
    }
  }
  return [ints(indices, [count, to.length]), ints(to)];
}

/** Sums or means of the rows `data[indices[i]]` that share a segment id; ids are in ascending order. */
function segmentReduce(
  data: HostTensor,
  indices: HostTensor,
  segmentIds: HostTensor,
  mean: boolean,
): HostResult {
  const kernel = mean ? 'SparseSegmentMean' : 'SparseSegmentSum';
  const ids = segmentIds.data;
  const count = indices.data.length;
  if (count !== ids.length) fail(`segmentIds and indices should have same size.`);
  const inputRows = data.shape[0]!;
  const width = data.shape.slice(1).reduce((n, d) => n * d, 1);
  const outputRows = count > 0 ? ids.at(-1)! + 1 : 0;
  if (count > 0 && outputRows <= 0)
    fail(backend_util.getSparseSegmentReductionNegativeSegmentIdsErrorMessage());
  const type = data.dtype as NumberType;
  const output = arrayLike(type, outputRows * width, kernel);
  const counts = new Int32Array(outputRows);
  for (let i = 0; i < count; i++) {
    const id = ids[i]!;
    if (i > 0 && id < ids[i - 1]!)
      fail(backend_util.getSparseSegmentReductionNonIncreasingSegmentIdsErrorMessage());
    if (id < 0 || id >= outputRows)
      fail(backend_util.getSparseSegmentReductionSegmentIdOutOfRangeErrorMessage(id, outputRows));
    const row = indices.data[i]!;
    if (row < 0 || row >= inputRows)
      fail(backend_util.getSparseSegmentReductionIndicesOutOfRangeErrorMessage(i, row, inputRows));
    counts[id]!++;
    for (let k = 0; k < width; k++) output[id * width + k]! += data.data[row * width + k]!;
  }
  if (mean) for (let k = 0; k < output.length; k++) output[k]! /= counts[Math.floor(k / width)] || 1;
  return { dtype: type, shape: [outputRows, ...data.shape.slice(1)], data: output };
}

export const sparseKernels: KernelDefinition[] = [
  define<'sparseIndices' | 'sparseValues' | 'defaultValue', tf.SparseToDenseAttrs>(
    'SparseToDense',
    ({ sparseIndices, sparseValues, defaultValue }, { outputShape }) => {
      const depth = sparseIndices.shape.length < 2 ? 1 : sparseIndices.shape[1]!;
      const count = sparseIndices.shape[0] ?? 1;
      const updates = expand(reshape(sparseValues, [sparseValues.shape[0] ?? 1]), [count]);
      const base = expand(reshape(defaultValue, []), outputShape);
      return scatter(base, reshape(sparseIndices, [count, depth]), updates);
    },
  ),
  defineHost<'indices' | 'values' | 'denseShape' | 'defaultValue'>(
    'SparseFillEmptyRows',
    ({ indices, values, denseShape, defaultValue }) =>
      fillEmptyRows(indices, values, denseShape, defaultValue),
  ),
  defineHost<'inputIndices' | 'inputShape' | 'newShape'>(
    'SparseReshape',
    ({ inputIndices, inputShape, newShape }) => sparseReshape(inputIndices, inputShape, newShape),
  ),
  ...(['SparseSegmentMean', 'SparseSegmentSum'] as const).map((name) =>
    defineHost<'data' | 'indices' | 'segmentIds'>(name, ({ data, indices, segmentIds }) =>
      segmentReduce(data, indices, segmentIds, name === 'SparseSegmentMean'),
    ),
  ),
];

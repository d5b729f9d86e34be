/**
 * Ragged tensors: flat values plus, per ragged dimension, row splits (row r holds the elements splits[r] up to
 * splits[r+1] of the next dimension). How many elements come out depends on the contents: computed on the host.
 */
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import { sizeOf } from '../graph/shape.js';
import { defineRaw, type KernelDefinition } from './define.js';
import {
  arrayLike,
  defineHost,
  ints,
  readHost,
  writeHost,
  type HostResult,
  type HostTensor,
  type NumberType,
} from './host.js';

const { backend_util } = tf;
const fail = (message: string): never => {
  throw new EngineError('BAD_INPUT', message);
};

function checkSplits(nested: readonly ArrayLike<number>[], values: HostTensor): void {
  nested.forEach((splits, level) => {
    if (splits.length === 0) fail('Ragged splits may not be empty');
    if (splits[0]! < 0) fail('Ragged splits must be non-negative');
    const inner = nested[level + 1];
    if (splits[splits.length - 1]! > (inner ? inner.length - 1 : values.shape[0]!))
      fail('Ragged splits must not point past values');
    for (let i = 1; i < splits.length; i++)
      if (splits[i]! < splits[i - 1]!) fail('Ragged splits must be sorted in ascending order');
  });
}

/** Rows of a ragged tensor picked by `indices` of any rank; its dimensions become the outermost ones. */
function raggedGather(
  nested: readonly ArrayLike<number>[],
  values: HostTensor,
  indices: HostTensor,
): HostResult[] {
  if (values.shape.length === 0) fail('params.rank must be nonzero');
  if (nested.length === 0) fail('paramsNestedSplits must be non-empty.');
  const rowCount = nested[0]!.length - 1;
  indices.data.forEach((index, i) => {
    if (index >= 0 && index < rowCount) return;
    const at = tf.util.indexToLoc(i, indices.shape.length, tf.util.computeStrides(indices.shape));
    fail(`indices[${at.length ? at.join(',') : i}] = ${index} is not in [0, ${rowCount})`);
  });
  checkSplits(nested, values);

  const outputs: HostResult[] = indices.shape.slice(1).map((length, d) => {
    const rows = sizeOf(indices.shape.slice(0, d + 1));
    return ints(Array.from({ length: rows + 1 }, (_, i) => i * length));
  });
  let rows = Array.from(indices.data);
  nested.forEach((splits, level) => {
    const next: number[] = [];
    const ends = [0];
    for (const row of rows) {
      for (let i = splits[row]!; i < splits[row + 1]!; i++) next.push(i);
      ends.push(next.length);
    }
    // A scalar index picks one row, whose own boundary is no longer needed.
    if (level > 0 || indices.shape.length > 0) outputs.push(ints(ends));
    rows = next;
  });
  const width = sizeOf(values.shape.slice(1));
  const type = values.dtype as NumberType;
  const data = arrayLike(type, rows.length * width, 'RaggedGather');
  rows.forEach((row, i) => data.set(values.data.subarray(row * width, (row + 1) * width), i * width));
  outputs.push({ dtype: type, shape: [rows.length, ...values.shape.slice(1)], data });
  return outputs;
}

/** For each row the numbers start, start+delta, … below (or, for negative deltas, above) the limit. */
function raggedRange(starts: HostTensor, limits: HostTensor, deltas: HostTensor): HostResult[] {
  const inputs = Object.entries({ starts, limits, deltas });
  for (const [name, { shape }] of inputs) if (shape.length > 1) fail(`${name} must be a scalar or vector`);
  const lengths = inputs.filter(([, { shape }]) => shape.length === 1).map(([, { shape }]) => shape[0]!);
  if (lengths.some((length) => length !== lengths[0]))
    fail('starts, limits, and deltas must have the same shape');
  const rows = lengths[0] ?? 1;
  const at = ({ shape, data }: HostTensor, i: number): number => data[shape.length === 0 ? 0 : i]!;

  const splits = [0];
  for (let i = 0; i < rows; i++) {
    const delta = at(deltas, i);
    if (delta === 0) fail('Requires delta != 0');
    const size = Math.max(0, Math.ceil((at(limits, i) - at(starts, i)) / delta));
    if (size > 2147483647) fail('Requires ((limit - start) / delta) <= 2147483647');
    splits.push(splits[i]! + size);
  }
  const type = starts.dtype as NumberType;
  const data = arrayLike(type, splits[rows]!, 'RaggedRange');
  for (let i = 0; i < rows; i++)
    for (let k = splits[i]!; k < splits[i + 1]!; k++)
      data[k] = at(starts, i) + (k - splits[i]!) * at(deltas, i);
  return [ints(splits), { dtype: type, shape: [data.length], data }];
}

interface RowPartition {
  type: string;
  data: ArrayLike<number>;
}

/** Row splits of every ragged dimension, whichever way the partitions are given. */
function rowSplits(partitions: readonly RowPartition[]): number[][] {
  const [first] = partitions;
  if (!first || first.data.length === 0)
    fail('Invalid first partition input. Tensor requires at least one element.');
  let rows = first!.type === 'FIRST_DIM_SIZE' ? first!.data[0]! : first!.data.length - 1;
  return partitions
    .filter(({ type }) => type !== 'FIRST_DIM_SIZE')
    .map(({ type, data }) => {
      let splits: number[];
      if (type === 'ROW_SPLITS') splits = Array.from(data);
      else if (type === 'VALUE_ROWIDS') {
        const lengths = new Array<number>(rows).fill(0);
        for (const row of Array.from(data)) {
          if (row >= rows) fail(`row id ${row} is not less than the number of rows, ${rows}`);
          lengths[row]!++;
        }
        splits = [0];
        for (const length of lengths) splits.push(splits.at(-1)! + length);
      } else return fail(`Unsupported partition type: ${type}`);
      rows = splits.at(-1)!;
      return splits;
    });
}

/** The dense tensor with the rows truncated or padded to `shape`; -1 in it means the length of the longest row. */
function raggedToDense(
  shape: HostTensor,
  values: HostTensor,
  defaultValue: HostTensor,
  partitions: readonly RowPartition[],
): HostResult {
  const splits = rowSplits(partitions);
  backend_util.validateDefaultValueShape(defaultValue.shape, values.shape);
  const wanted = shape.shape.length === 0 ? null : Array.from(shape.data);
  const output = backend_util.combineRaggedTensorToTensorShapes(
    splits.length,
    wanted as number[],
    values.shape,
  );
  if (output[0]! < 0) output[0] = splits[0]!.length - 1;
  splits.forEach((level, d) => {
    if (output[d + 1]! >= 0) return;
    output[d + 1] = level.slice(1).reduce((longest, end, i) => Math.max(longest, end - level[i]!), 0);
  });

  const elementShape = output.slice(splits.length + 1);
  const width = sizeOf(elementShape);
  const type = values.dtype as NumberType;
  const data = arrayLike(type, sizeOf(output), 'RaggedTensorToTensor');
  const repeats = defaultValue.data.length;
  const perDefault = width / repeats;
  for (let i = 0; i < data.length; i++)
    data[i] = defaultValue.data[repeats === 1 ? 0 : Math.floor((i % width) / perDefault)]!;

  const place = (level: number, row: number, offset: number): void => {
    if (level === splits.length) {
      data.set(values.data.subarray(row * width, (row + 1) * width), offset * width);
      return;
    }
    const start = splits[level]![row]!;
    const size = output[level + 1]!;
    const count = Math.min(size, splits[level]![row + 1]! - start);
    for (let i = 0; i < count; i++) place(level + 1, start + i, offset * size + i);
  };
  const rows = Math.min(output[0]!, splits[0]!.length - 1);
  for (let row = 0; row < rows; row++) place(0, row, row);
  return { dtype: type, shape: output, data };
}

/** Inputs of the ragged kernels may be lists, which TensorFlow.js's types do not express. */
const listOf = (input: unknown): tf.TensorInfo[] => input as tf.TensorInfo[];

export const raggedKernels: KernelDefinition[] = [
  defineRaw('RaggedGather', (infos, _attrs, backend) => {
    const read = (info: tf.TensorInfo): HostTensor => readHost(info, backend, 'RaggedGather');
    const nested = listOf(infos.paramsNestedSplits).map((info) => read(info).data);
    const results = raggedGather(nested, read(infos.paramsDenseValues!), read(infos.indices!));
    return results.map((result) => writeHost(result, backend));
  }),
  defineHost<'starts' | 'limits' | 'deltas'>('RaggedRange', ({ starts, limits, deltas }) =>
    raggedRange(starts, limits, deltas),
  ),
  defineRaw('RaggedTensorToTensor', (infos, attrs, backend) => {
    const read = (info: tf.TensorInfo): HostTensor => readHost(info, backend, 'RaggedTensorToTensor');
    const types = attrs.rowPartitionTypes as string[];
    const partitions = listOf(infos.rowPartitionTensors).map((info, i) => ({
      type: types[i]!,
      data: read(info).data,
    }));
    const dense = raggedToDense(
      read(infos.shape!),
      read(infos.values!),
      read(infos.defaultValue!),
      partitions,
    );
    return writeHost(dense, backend);
  }),
];

/**
 * Strings. ONNX graphs do not carry them here, so they are handled on the host: kernels that only move or compare
 * elements run on numbers that stand for the strings, and the string kernels of TensorFlow.js are written in JavaScript.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxRuntimeBackend } from '../backend/backend.js';
import { EngineError } from '../errors.js';
import { materialised } from '../graph/value.js';
import type { KernelDefinition } from './define.js';
import { defineHost, ints, type HostResult } from './host.js';
import { MOVING_KERNELS } from './moving.js';

const decode = (bytes: Uint8Array): string => tf.util.decodeString(bytes);
const encode = (text: string): Uint8Array => tf.util.encodeString(text);
const stringResult = (strings: Uint8Array[], shape = [strings.length]): HostResult => ({
  dtype: 'string',
  shape,
  strings,
});

/** Kernels that move elements: which of their outputs hold strings when an input does (undefined: all of them). */
const MOVES: Readonly<Record<string, readonly number[] | undefined>> = {
  ...Object.fromEntries(
    [
      ...MOVING_KERNELS,
      ...['SparseToDense', 'RaggedTensorToTensor'],
      ...['TensorScatterUpdate', 'SpaceToBatchND', 'BatchToSpaceND'],
    ].map((name) => [name, undefined]),
  ),
  ...Object.fromEntries(
    ['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'].map((name) => [name, []]),
  ),
  Unique: [0],
  SparseFillEmptyRows: [1],
  RaggedGather: [-1],
};

/** Replaces string tensors by int32 tensors whose numbers are ordered as the strings are. */
class StringNumbers {
  readonly #strings: Uint8Array[];
  readonly #numbers = new Map<string, number>();
  readonly #made: tf.TensorInfo[] = [];

  constructor(
    private readonly backend: OnnxRuntimeBackend,
    infos: readonly tf.TensorInfo[],
  ) {
    const distinct = new Map<string, Uint8Array>();
    for (const { dataId } of infos)
      for (const bytes of backend.readSync(dataId) as Uint8Array[]) distinct.set(keyOf(bytes), bytes);
    const keys = [...distinct.keys()].sort();
    keys.forEach((key, number) => this.#numbers.set(key, number));
    this.#strings = keys.map((key) => distinct.get(key)!);
  }

  encode(info: tf.TensorInfo): tf.TensorInfo {
    const values = this.backend.readSync(info.dataId) as Uint8Array[];
    const data = Int32Array.from(values, (bytes) => this.#numbers.get(keyOf(bytes))!);
    const made = this.backend.makeTensor(materialised('int32', info.shape, data));
    this.#made.push(made);
    return made;
  }

  decode(info: tf.TensorInfo): tf.TensorInfo {
    const numbers = this.backend.readSync(info.dataId) as Int32Array;
    this.backend.disposeData(info.dataId);
    return this.backend.makeStrings(
      Array.from(numbers, (i) => this.#strings[i]!),
      info.shape,
    );
  }

  dispose(): void {
    for (const { dataId } of this.#made) this.backend.disposeData(dataId);
  }
}

/** One character per byte: UTF-8 bytes sort as their code points do. */
const keyOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** Inputs are tensors, or lists of tensors for the ragged kernels. */
type Inputs = Record<string, tf.TensorInfo | tf.TensorInfo[] | undefined>;

const stringTensors = (infos: Inputs): tf.TensorInfo[] =>
  Object.values(infos)
    .flat()
    .filter((info) => info?.dtype === 'string') as tf.TensorInfo[];

/** The kernel, taking strings too when all it does with elements is to move or compare them. */
export function withStrings(definition: KernelDefinition): KernelDefinition {
  const { name, run } = definition;
  if (!(name in MOVES) && name !== 'ZerosLike') return definition;
  const stringOutputs = MOVES[name];
  return {
    name,
    run(infos, attrs, backend) {
      const strings = stringTensors(infos);
      if (strings.length === 0) return run(infos, attrs, backend);
      if (name === 'ZerosLike') {
        const { shape } = infos.x!;
        return backend.makeStrings(
          new Array<Uint8Array>(tf.util.sizeFromShape(shape)).fill(encode('')),
          shape,
        );
      }
      const numbers = new StringNumbers(backend, strings);
      const swap = (info: tf.TensorInfo): tf.TensorInfo =>
        info.dtype === 'string' ? numbers.encode(info) : info;
      const swapped: Inputs = {};
      for (const [key, info] of Object.entries(infos as Inputs)) {
        if (info) swapped[key] = Array.isArray(info) ? info.map(swap) : swap(info);
      }
      try {
        const result = run(swapped as tf.NamedTensorInfoMap, attrs, backend);
        if (!Array.isArray(result)) return stringOutputs ? result : numbers.decode(result);
        const decoded = stringOutputs?.map((i) => (i < 0 ? i + result.length : i));
        return result.map((info, i) => (!decoded || decoded.includes(i) ? numbers.decode(info) : info));
      } finally {
        numbers.dispose();
      }
    },
  };
}

/** Pieces of `text` between any of the delimiter's bytes; without a delimiter, its single bytes. */
function splitBytes(text: Uint8Array, delimiter: Uint8Array, skipEmpty: boolean): Uint8Array[] {
  if (delimiter.length === 0) return Array.from(text, (_, i) => text.subarray(i, i + 1));
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (let i = 0; i <= text.length; i++) {
    if (i < text.length && !delimiter.includes(text[i]!)) continue;
    if (!skipEmpty || i > start) pieces.push(text.subarray(start, i));
    start = i + 1;
  }
  return pieces;
}

/** FarmHash of the bytes modulo the number of buckets; tfjs-core's hash is a 64-bit object of the package `long`. */
function bucketOf(bytes: Uint8Array, numBuckets: number): number {
  const hash = tf.util.fingerPrint64(bytes) as unknown as { toString(): string };
  return Number(BigInt.asUintN(64, BigInt(hash.toString())) % BigInt(numBuckets));
}

interface NGramsAttrs {
  separator: string;
  nGramWidths: number[];
  leftPad: string;
  rightPad: string;
  padWidth: number;
  preserveShortSequences: boolean;
}

/** Row boundaries must start at 0, ascend, and end at the number of tokens. */
function checkSplits(splits: ArrayLike<number>, size: number): void {
  const fail = (message: string): never => {
    throw new EngineError('BAD_INPUT', message);
  };
  let previous = splits[0]!;
  if (previous !== 0) fail(`First split value must be 0, got ${previous}`);
  for (let i = 1; i < splits.length; i++) {
    const split = splits[i]!;
    if (split < previous || split > size)
      fail(`Invalid split value ${split}, must be in [${previous}, ${size}]`);
    previous = split;
  }
  if (previous !== size) fail(`Last split value must be data size. Expected ${size}, got ${previous}`);
}

/** All n-grams of one row of tokens for one width, with `pad` padding tokens available on either side. */
function rowNGrams(
  tokens: string[],
  width: number,
  pad: number,
  count: number,
  attrs: NGramsAttrs,
): string[] {
  return Array.from({ length: count }, (_, i) => {
    const left = Math.max(0, pad - i);
    const right = Math.max(0, pad - (count - (i + 1)));
    const start = left > 0 ? 0 : i - pad;
    return [
      ...new Array<string>(left).fill(attrs.leftPad),
      ...tokens.slice(start, start + width - left - right),
      ...new Array<string>(right).fill(attrs.rightPad),
    ].join(attrs.separator);
  });
}

function nGrams(tokens: string[], attrs: NGramsAttrs): string[] {
  const result = attrs.nGramWidths.flatMap((width) => {
    const pad = Math.min(attrs.padWidth < 0 ? width - 1 : attrs.padWidth, width - 1);
    return rowNGrams(tokens, width, pad, Math.max(0, tokens.length + 2 * pad - width + 1), attrs);
  });
  if (!attrs.preserveShortSequences || result.length > 0 || tokens.length === 0) return result;
  const width = tokens.length + 2 * attrs.padWidth;
  return rowNGrams(tokens, width, Math.min(attrs.padWidth, width - 1), 1, attrs);
}

export const stringKernels: KernelDefinition[] = [
  defineHost<'data' | 'dataSplits', NGramsAttrs>('StringNGrams', ({ data, dataSplits }, attrs) => {
    const splits = dataSplits.data;
    if (splits.length > 0) checkSplits(splits, data.strings.length);
    const tokens = data.strings.map(decode);
    const rows = Array.from({ length: Math.max(0, splits.length - 1) }, (_, i) =>
      tokens.length === 0 ? [] : nGrams(tokens.slice(splits[i], splits[i + 1]), attrs),
    );
    const ends = [0];
    for (const row of rows) ends.push(ends.at(-1)! + row.length);
    return [stringResult(rows.flat().map(encode)), ints(splits.length === 0 ? [] : ends)];
  }),
  defineHost<'input' | 'delimiter', { skipEmpty: boolean }>(
    'StringSplit',
    ({ input, delimiter }, { skipEmpty }) => {
      const rows = input.strings.map((text) => splitBytes(text, delimiter.strings[0]!, skipEmpty));
      const indices = rows.flatMap((row, i) => row.flatMap((_, j) => [i, j]));
      const columns = rows.reduce((most, row) => Math.max(most, row.length), 0);
      return [
        ints(indices, [indices.length / 2, 2]),
        stringResult(rows.flat()),
        ints([rows.length, columns]),
      ];
    },
  ),
  defineHost<'input', { numBuckets: number }>('StringToHashBucketFast', ({ input }, { numBuckets }) =>
    ints(
      input.strings.map((bytes) => bucketOf(bytes, numBuckets)),
      input.shape,
    ),
  ),
  defineHost<'x', { pattern: string; rewrite: string; replaceGlobal: boolean }>(
    'StaticRegexReplace',
    ({ x }, { pattern, rewrite, replaceGlobal }) => {
      const expression = new RegExp(pattern, replaceGlobal ? 'g' : '');
      return stringResult(
        x.strings.map((bytes) => encode(decode(bytes).replace(expression, rewrite))),
        x.shape,
      );
    },
  ),
];

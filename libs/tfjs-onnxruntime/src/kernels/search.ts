/** Counting, searching, drawing and shape arithmetic: histograms as recorded nodes, the rest on the host. */
import * as tf from '@tensorflow/tfjs-core';
import { filled, reshape, slice } from '../graph/layout.js';
import { add, cast, greater, less, mul, op, where } from '../graph/ops.js';
import { broadcastShapes, sizeOf } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';
import { scatterAdd } from './gather.js';
import { arrayLike, defineHost, ints, type HostResult, type HostTensor, type NumberType } from './host.js';

/**
 * How often (or with what total weight) each of `size` numbers occurs in each row of `x` [B, N]; larger numbers do not
 * count: they go to an element past the end, which is cut off.
 */
function histogram(x: Value, weights: Value, size: number): Value {
  const [rows, columns] = x.shape as [number, number];
  const weighted = sizeOf(weights.shape) > 0;
  const type = weighted ? weights.type : 'int32';
  const total = rows * size;
  const row = op('Range', [scalar(0, 'int32'), scalar(rows, 'int32'), scalar(1, 'int32')], [rows], 'int32');
  const values = cast(x, 'int32');
  const bins = add(values, mul(reshape(row, [rows, 1]), size));
  const targets = where(less(values, size), bins, scalar(total, 'int32'));
  const updates = weighted ? reshape(weights, [rows * columns]) : filled(1, type, [rows * columns]);
  const counts = scatterAdd(updates, reshape(targets, [rows * columns]), total + 1);
  return reshape(slice(counts, [{ axis: 0, start: 0, end: total }]), [rows, size]);
}

/** Distinct slices along an axis in the order of their first occurrence, and for each slice which one it is. */
function unique(x: HostTensor, axis: number): HostResult[] {
  const a = tf.util.parseAxisParam(axis, x.shape)[0] ?? 0;
  const outer = sizeOf(x.shape.slice(0, a));
  const inner = sizeOf(x.shape.slice(a + 1));
  const length = x.shape[a] ?? 1;
  const seen = new Map<string, number>();
  const firsts: number[] = [];
  const indices = Int32Array.from({ length }, (_, i) => {
    const parts: string[] = [];
    for (let o = 0; o < outer; o++) {
      const start = (o * length + i) * inner;
      parts.push(x.data.subarray(start, start + inner).join());
    }
    const key = parts.join(';');
    let number = seen.get(key);
    if (number === undefined) {
      number = firsts.push(i) - 1;
      seen.set(key, number);
    }
    return number;
  });
  const type = x.dtype as NumberType;
  const data = arrayLike(type, outer * firsts.length * inner, 'Unique');
  for (let o = 0; o < outer; o++) {
    firsts.forEach((from, to) => {
      const start = (o * length + from) * inner;
      data.set(x.data.subarray(start, start + inner), (o * firsts.length + to) * inner);
    });
  }
  const shape = x.shape.map((d, i) => (i === a ? firsts.length : d));
  return [{ dtype: type, shape, data }, ints(indices)];
}

/** Insertion points of `values` into the sorted rows: before ('left') or after equal elements. */
function searchSorted(rows: HostTensor, values: HostTensor, side: 'left' | 'right'): HostResult {
  const [batch, length] = rows.shape as [number, number];
  const perRow = values.shape[1]!;
  const result = Int32Array.from({ length: batch * perRow }, (_, i) => {
    const row = rows.data.subarray(Math.floor(i / perRow) * length, (Math.floor(i / perRow) + 1) * length);
    const value = values.data[i]!;
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (side === 'left' ? row[middle]! < value : row[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  });
  return ints(result, [batch, perRow]);
}

/** A small seedable generator (mulberry32): 2³² states, uniform in [0, 1). */
function uniformGenerator(seed: number): () => number {
  let state = Math.trunc(seed * 2654435761) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Draws class indices from each row of logits (or probabilities) [B, C]. */
function multinomial(logits: HostTensor, { numSamples, seed, normalized }: tf.MultinomialAttrs): HostResult {
  const [batch, classes] = logits.shape as [number, number];
  const next = uniformGenerator(seed);
  const samples = new Int32Array(batch * numSamples);
  for (let b = 0; b < batch; b++) {
    const row = Array.from(logits.data.subarray(b * classes, (b + 1) * classes));
    const largest = row.reduce((a, c) => Math.max(a, c), -Infinity);
    const weights = normalized ? row : row.map((x) => Math.exp(x - largest));
    const total = weights.reduce((sum, w) => sum + w, 0);
    for (let s = 0; s < numSamples; s++) {
      let rest = next() * total;
      let choice = 0;
      while (choice < classes - 1 && rest >= weights[choice]!) rest -= weights[choice++]!;
      samples[b * numSamples + s] = choice;
    }
  }
  return ints(samples, [batch, numSamples]);
}

export const searchKernels: KernelDefinition[] = [
  define<'x' | 'weights', { size: number }>('Bincount', ({ x, weights }, { size }) =>
    reshape(histogram(reshape(x, [1, sizeOf(x.shape)]), weights, size), [size]),
  ),
  define<'x' | 'weights', { size: number; binaryOutput: boolean }>(
    'DenseBincount',
    ({ x, weights }, attrs) => {
      const { size, binaryOutput } = attrs;
      const rows = x.shape.length === 1 ? 1 : x.shape[0]!;
      const counts = histogram(reshape(x, [rows, sizeOf(x.shape) / rows]), weights, size);
      const result = binaryOutput ? cast(greater(counts, 0), counts.type) : counts;
      return reshape(result, [...x.shape.slice(0, -1), size]);
    },
  ),
  defineHost<'s0' | 's1'>('BroadcastArgs', ({ s0, s1 }) =>
    ints(broadcastShapes(Array.from(s0.data), Array.from(s1.data))),
  ),
  defineHost<'x', { axis: number }>('Unique', ({ x }, { axis }) => unique(x, axis)),
  defineHost<'sortedSequence' | 'values', { side: 'left' | 'right' }>(
    'SearchSorted',
    ({ sortedSequence, values }, { side }) => searchSorted(sortedSequence, values, side),
  ),
  defineHost<'logits', tf.MultinomialAttrs>('Multinomial', ({ logits }, attrs) => multinomial(logits, attrs)),
];

/** Which input positions an output position is made of, and their fixed-point weights. */
import { KERNELS, type WeightedFilter } from './filters.js';

/** 32 bits less 8 for the pixel and 2 of headroom for weights beyond [0, 1]. */
export const PRECISION_BITS = 22;
/** Bits of the lower part of a weight where it is split in two 16-bit parts. */
const SPLIT_BITS = 11;

/** The taps of N neighbouring output positions along one axis. */
export interface Taps {
  /** N: first input position of each output position. */
  first: Int32Array;
  /** N: how many input positions. */
  count: Int32Array;
  /** N × stride: the weights of output position `i` begin at `i · stride`; zero beyond its count. */
  weights: Int32Array;
  /** Even. */
  stride: number;
  /** N: of `first`, from that of the first output position on, in bytes of RGB pixels. */
  byteOffsets: Int32Array;
  /** N: how many pairs of positions, the last of which may have a weight of 0. */
  pairs: Int32Array;
  /** How many input positions lie between the first and the last that any output position uses. */
  reach: number;
  /** N × stride 16-bit parts with weight = high · 2^11 + low, 0 ≤ low < 2^11. */
  high: Int16Array;
  low: Int16Array;
}

/** Room for the taps of one output position: an even number, at least one more than there can be. */
export function tapStride(filter: WeightedFilter, inputSize: number, outputSize: number): number {
  return Math.ceil(KERNELS[filter].support * Math.max(inputSize / outputSize, 1)) * 2 + 2;
}

/**
 * The taps of output positions `start … start + length` of an axis resized from `inputSize` to `outputSize`, as
 * Pillow's precompute_coeffs and normalize_coeffs_8bpc compute them.
 */
export function computeTaps(
  filter: WeightedFilter,
  inputSize: number,
  outputSize: number,
  start: number,
  length: number,
): Taps {
  const { support: halfWidth, weight } = KERNELS[filter];
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const support = halfWidth * stretch;
  const stride = tapStride(filter, inputSize, outputSize);
  const first = new Int32Array(length);
  const count = new Int32Array(length);
  const weights = new Int32Array(length * stride);
  const values = new Float64Array(stride);
  for (let i = 0; i < length; i++) {
    if (inputSize === outputSize) {
      first[i] = start + i;
      count[i] = 1;
      weights[i * stride] = 1 << PRECISION_BITS;
      continue;
    }
    const centre = (start + i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const taps = Math.min(inputSize, Math.trunc(centre + support + 0.5)) - from;
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += values[k] = weight((from + k - centre + 0.5) / stretch);
    for (let k = 0; k < taps; k++) {
      const normalised = (sum === 0 ? values[k]! : values[k]! / sum) * (1 << PRECISION_BITS);
      weights[i * stride + k] = Math.trunc(normalised < 0 ? normalised - 0.5 : normalised + 0.5);
    }
    first[i] = from;
    count[i] = taps;
  }
  const high = new Int16Array(weights.length);
  const low = new Int16Array(weights.length);
  for (let k = 0; k < weights.length; k++) {
    high[k] = weights[k]! >> SPLIT_BITS;
    low[k] = weights[k]! & ((1 << SPLIT_BITS) - 1);
  }
  const byteOffsets = first.map((position) => (position - first[0]!) * 3);
  const pairs = count.map((taps) => (taps + 1) >> 1);
  const reach = first[length - 1]! + count[length - 1]! - first[0]!;
  return { first, count, weights, stride, byteOffsets, pairs, reach, high, low };
}

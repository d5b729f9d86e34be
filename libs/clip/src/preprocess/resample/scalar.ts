/**
 * Both passes in plain JavaScript: for images so long and narrow, or shrunk so far, that the memory of the
 * SIMD kernel does not hold what it needs at once; and what that kernel is tested against.
 */
import { PRECISION_BITS, type Taps } from './taps.js';

const ROUND = 1 << (PRECISION_BITS - 1);

/**
 * Resizes each of `rowCount` rows of `inputWidth` pixels.
 * @param offset position in the full image of the first pixel of a row
 */
export function resizeAlongX(
  data: Uint8Array,
  inputWidth: number,
  rowCount: number,
  taps: Taps,
  offset: number,
): Uint8Array {
  const { first, count, weights, stride } = taps;
  const width = first.length;
  const out = new Uint8ClampedArray(rowCount * width * 3);
  let to = 0;
  for (let y = 0; y < rowCount; y++) {
    const row = y * inputWidth - offset;
    for (let x = 0; x < width; x++) {
      let from = (row + first[x]!) * 3;
      const begin = x * stride;
      const end = begin + count[x]!;
      let red = ROUND;
      let green = ROUND;
      let blue = ROUND;
      for (let k = begin; k < end; k++, from += 3) {
        const weight = weights[k]!;
        red = (red + Math.imul(data[from]!, weight)) | 0;
        green = (green + Math.imul(data[from + 1]!, weight)) | 0;
        blue = (blue + Math.imul(data[from + 2]!, weight)) | 0;
      }
      out[to] = red >> PRECISION_BITS;
      out[to + 1] = green >> PRECISION_BITS;
      out[to + 2] = blue >> PRECISION_BITS;
      to += 3;
    }
  }
  return new Uint8Array(out.buffer);
}

/**
 * Resizes along y the columns `firstColumn … firstColumn + columnCount` of rows of `inputWidth` pixels.
 * @param offset position in the full image of the first row
 */
export function resizeAlongY(
  data: Uint8Array,
  inputWidth: number,
  firstColumn: number,
  columnCount: number,
  taps: Taps,
  offset: number,
): Uint8Array {
  const { first, count, weights, stride } = taps;
  const height = first.length;
  const rowLength = columnCount * 3;
  const out = new Uint8ClampedArray(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(ROUND);
    const taps = weights.subarray(y * stride, y * stride + count[y]!);
    addWeightedRows(sums, data, ((first[y]! - offset) * inputWidth + firstColumn) * 3, inputWidth * 3, taps);
    const to = y * rowLength;
    for (let i = 0; i < rowLength; i++) out[to + i] = sums[i]! >> PRECISION_BITS;
  }
  return new Uint8Array(out.buffer);
}

/**
 * Adds to `sums` the rows of `data` that begin at `from` and lie `step` apart, times their weights.
 * Four rows at a time, which reads and writes the sums a quarter as often.
 */
function addWeightedRows(
  sums: Int32Array,
  data: Uint8Array,
  from: number,
  step: number,
  weights: Int32Array,
): void {
  let k = 0;
  for (; k + 4 <= weights.length; k += 4) {
    const weight0 = weights[k]!;
    const weight1 = weights[k + 1]!;
    const weight2 = weights[k + 2]!;
    const weight3 = weights[k + 3]!;
    const row0 = from + k * step;
    const row1 = row0 + step;
    const row2 = row1 + step;
    const row3 = row2 + step;
    for (let i = 0; i < sums.length; i++) {
      const sum01 = (Math.imul(data[row0 + i]!, weight0) + Math.imul(data[row1 + i]!, weight1)) | 0;
      const sum23 = (Math.imul(data[row2 + i]!, weight2) + Math.imul(data[row3 + i]!, weight3)) | 0;
      sums[i] = (sums[i]! + sum01 + sum23) | 0;
    }
  }
  for (; k < weights.length; k++) {
    const weight = weights[k]!;
    const row = from + k * step;
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i]! + Math.imul(data[row + i]!, weight)) | 0;
  }
}

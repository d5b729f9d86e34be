/**
 * The inner loops of the resampler in WebAssembly with 128-bit SIMD (AssemblyScript, not TypeScript: pointers are
 * byte offsets into the module's memory).
 *
 * Weights are 22-bit fixed point, too wide for the 16-bit multiply-add that SIMD offers, so each is split into
 * weight = high · 2^11 + low with 0 ≤ low < 2^11. Two sums are kept and joined at the end; 32-bit integers
 * hold both exactly, so the result equals that of one sum over the full weights.
 *
 * Weights come as 32-bit pairs: two 16-bit parts for two neighbouring taps. An odd number of taps is padded with
 * a weight of zero, and the input must be readable 16 bytes past its end.
 */

const PRECISION_BITS: i32 = 22;
const SPLIT_BITS: i32 = 11;
const ROUND: i32 = 1 << (PRECISION_BITS - 1);

/** high · 2^11 + low + ½, shifted back to whole pixels; not clipped yet. */
function join(high: v128, low: v128): v128 {
  const sum = i32x4.add(i32x4.add(i32x4.shl(high, SPLIT_BITS), low), i32x4.splat(ROUND));
  return i32x4.shr_s(sum, PRECISION_BITS);
}

/**
 * Rows of RGB pixels, shortened or lengthened along x. Sixteen rows at a time are transposed to columns, of which each
 * output column is a weighted sum: all lanes are used, and a weight is fetched once for sixteen rows.
 * @param input first pixel that the taps count from, of the first row; rows lie `inputStride` bytes apart, and those up
 * to a
 *   multiple of sixteen rows must be readable
 * @param inputLength bytes of a row that the taps reach
 * @param out rowCount × width × 3 bytes
 * @param first for each output pixel the byte offset of its first tap in a row, i32
 * @param pairCount for each output pixel the number of pairs of taps, i32
 * @param high @param low pairs of weight parts, `stride` pairs for each output pixel
 * @param columns room for 16 × (inputLength + 64) bytes @param sums room for 16 × (width × 3 + 32) bytes
 */
export function resizeRows(
  input: usize,
  inputStride: usize,
  inputLength: i32,
  rowCount: i32,
  out: usize,
  width: i32,
  first: usize,
  pairCount: usize,
  high: usize,
  low: usize,
  stride: i32,
  columns: usize,
  sums: usize,
): void {
  const length = width * 3;
  const whole = length & ~15;
  const rest = <usize>(length - whole);
  const lastRows = sums + ((<usize>(whole + 16)) << 4);
  for (let y = 0; y < rowCount; y += 16) {
    for (let i = 0; i < inputLength; i += 16) transpose(input + i, inputStride, columns + (i << 4), 16);
    let sum = sums;
    for (let x = 0; x < width; x++) {
      const at = (<usize>x) << 2;
      const column = columns + ((<usize>load<u32>(first + at)) << 4);
      const weights = (<usize>(x * stride)) << 2;
      const pairs = load<i32>(pairCount + at);
      for (let channel: usize = 0; channel < 48; channel += 16, sum += 16)
        v128.store(sum, weigh(column + channel, 48, high + weights, low + weights, pairs));
    }
    const rows = min(16, rowCount - y);
    if (rows === 16) {
      for (let i = 0; i < whole; i += 16) transpose(sums + (i << 4), 16, out + i, length);
    } else {
      for (let i = 0; i < whole; i += 16) {
        transpose(sums + (i << 4), 16, lastRows, 16);
        for (let r = 0; r < rows; r++) v128.store(out + i + r * length, v128.load(lastRows + (r << 4)));
      }
    }
    if (rest > 0) {
      transpose(sums + (whole << 4), 16, lastRows, 16);
      for (let r = 0; r < rows; r++) memory.copy(out + whole + r * length, lastRows + (r << 4), rest);
    }
    input += inputStride << 4;
    out += <usize>(length << 4);
  }
}

/** Transposes sixteen rows of sixteen bytes. */
function transpose(from: usize, stride: usize, to: usize, toStride: usize): void {
  const a0 = v128.load(from);
  const a1 = v128.load(from + 1 * stride);
  const a2 = v128.load(from + 2 * stride);
  const a3 = v128.load(from + 3 * stride);
  const a4 = v128.load(from + 4 * stride);
  const a5 = v128.load(from + 5 * stride);
  const a6 = v128.load(from + 6 * stride);
  const a7 = v128.load(from + 7 * stride);
  const a8 = v128.load(from + 8 * stride);
  const a9 = v128.load(from + 9 * stride);
  const a10 = v128.load(from + 10 * stride);
  const a11 = v128.load(from + 11 * stride);
  const a12 = v128.load(from + 12 * stride);
  const a13 = v128.load(from + 13 * stride);
  const a14 = v128.load(from + 14 * stride);
  const a15 = v128.load(from + 15 * stride);
  // Rows k and k + 8 are interleaved four times.
  const b0 = lowBytes(a0, a8);
  const b1 = highBytes(a0, a8);
  const b2 = lowBytes(a1, a9);
  const b3 = highBytes(a1, a9);
  const b4 = lowBytes(a2, a10);
  const b5 = highBytes(a2, a10);
  const b6 = lowBytes(a3, a11);
  const b7 = highBytes(a3, a11);
  const b8 = lowBytes(a4, a12);
  const b9 = highBytes(a4, a12);
  const b10 = lowBytes(a5, a13);
  const b11 = highBytes(a5, a13);
  const b12 = lowBytes(a6, a14);
  const b13 = highBytes(a6, a14);
  const b14 = lowBytes(a7, a15);
  const b15 = highBytes(a7, a15);
  const c0 = lowBytes(b0, b8);
  const c1 = highBytes(b0, b8);
  const c2 = lowBytes(b1, b9);
  const c3 = highBytes(b1, b9);
  const c4 = lowBytes(b2, b10);
  const c5 = highBytes(b2, b10);
  const c6 = lowBytes(b3, b11);
  const c7 = highBytes(b3, b11);
  const c8 = lowBytes(b4, b12);
  const c9 = highBytes(b4, b12);
  const c10 = lowBytes(b5, b13);
  const c11 = highBytes(b5, b13);
  const c12 = lowBytes(b6, b14);
  const c13 = highBytes(b6, b14);
  const c14 = lowBytes(b7, b15);
  const c15 = highBytes(b7, b15);
  const d0 = lowBytes(c0, c8);
  const d1 = highBytes(c0, c8);
  const d2 = lowBytes(c1, c9);
  const d3 = highBytes(c1, c9);
  const d4 = lowBytes(c2, c10);
  const d5 = highBytes(c2, c10);
  const d6 = lowBytes(c3, c11);
  const d7 = highBytes(c3, c11);
  const d8 = lowBytes(c4, c12);
  const d9 = highBytes(c4, c12);
  const d10 = lowBytes(c5, c13);
  const d11 = highBytes(c5, c13);
  const d12 = lowBytes(c6, c14);
  const d13 = highBytes(c6, c14);
  const d14 = lowBytes(c7, c15);
  const d15 = highBytes(c7, c15);
  const e0 = lowBytes(d0, d8);
  const e1 = highBytes(d0, d8);
  const e2 = lowBytes(d1, d9);
  const e3 = highBytes(d1, d9);
  const e4 = lowBytes(d2, d10);
  const e5 = highBytes(d2, d10);
  const e6 = lowBytes(d3, d11);
  const e7 = highBytes(d3, d11);
  const e8 = lowBytes(d4, d12);
  const e9 = highBytes(d4, d12);
  const e10 = lowBytes(d5, d13);
  const e11 = highBytes(d5, d13);
  const e12 = lowBytes(d6, d14);
  const e13 = highBytes(d6, d14);
  const e14 = lowBytes(d7, d15);
  const e15 = highBytes(d7, d15);
  v128.store(to, e0);
  v128.store(to + 1 * toStride, e1);
  v128.store(to + 2 * toStride, e2);
  v128.store(to + 3 * toStride, e3);
  v128.store(to + 4 * toStride, e4);
  v128.store(to + 5 * toStride, e5);
  v128.store(to + 6 * toStride, e6);
  v128.store(to + 7 * toStride, e7);
  v128.store(to + 8 * toStride, e8);
  v128.store(to + 9 * toStride, e9);
  v128.store(to + 10 * toStride, e10);
  v128.store(to + 11 * toStride, e11);
  v128.store(to + 12 * toStride, e12);
  v128.store(to + 13 * toStride, e13);
  v128.store(to + 14 * toStride, e14);
  v128.store(to + 15 * toStride, e15);
}

function lowBytes(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

function highBytes(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/**
 * One output row as the weighted sum of input rows; all columns get the same weights.
 * @param input first byte of the first row; `2 · pairs` rows lie `inputStride` bytes apart, the last of which may
 *   be any readable bytes when its weight is zero
 * @param out `length` bytes, written in blocks of 16
 */
export function sumRows(
  input: usize,
  inputStride: usize,
  length: i32,
  out: usize,
  high: usize,
  low: usize,
  pairs: i32,
): void {
  for (let i = 0; i < length; i += 16) v128.store(out + i, weigh(input + i, inputStride, high, low, pairs));
}

/** Sixteen bytes, each the weighted sum of `2 · pairs` bytes that lie `stride` apart. */
function weigh(row: usize, stride: usize, high: usize, low: usize, pairs: i32): v128 {
  const end = (<usize>pairs) << 2;
  let high0 = i32x4.splat(0),
    high1 = high0,
    high2 = high0,
    high3 = high0;
  let low0 = high0,
    low1 = high0,
    low2 = high0,
    low3 = high0;
  for (let weights: usize = 0; weights < end; weights += 4) {
    const a = v128.load(row);
    const b = v128.load(row + stride);
    row += stride << 1;
    const left = lowBytes(a, b);
    const right = highBytes(a, b);
    const pair0 = i16x8.extend_low_i8x16_u(left);
    const pair1 = i16x8.extend_high_i8x16_u(left);
    const pair2 = i16x8.extend_low_i8x16_u(right);
    const pair3 = i16x8.extend_high_i8x16_u(right);
    const weightHigh = v128.load32_splat(high + weights);
    const weightLow = v128.load32_splat(low + weights);
    high0 = i32x4.add(high0, i32x4.dot_i16x8_s(pair0, weightHigh));
    high1 = i32x4.add(high1, i32x4.dot_i16x8_s(pair1, weightHigh));
    high2 = i32x4.add(high2, i32x4.dot_i16x8_s(pair2, weightHigh));
    high3 = i32x4.add(high3, i32x4.dot_i16x8_s(pair3, weightHigh));
    low0 = i32x4.add(low0, i32x4.dot_i16x8_s(pair0, weightLow));
    low1 = i32x4.add(low1, i32x4.dot_i16x8_s(pair1, weightLow));
    low2 = i32x4.add(low2, i32x4.dot_i16x8_s(pair2, weightLow));
    low3 = i32x4.add(low3, i32x4.dot_i16x8_s(pair3, weightLow));
  }
  const words0 = i16x8.narrow_i32x4_s(join(high0, low0), join(high1, low1));
  const words1 = i16x8.narrow_i32x4_s(join(high2, low2), join(high3, low3));
  return i8x16.narrow_i16x8_u(words0, words1);
}

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
 * Rows of RGB pixels, shortened or lengthened along x.
 * @param input first pixel that the taps count from, of the first row; rows lie `inputStride` bytes apart
 * @param out rowCount × width × 3 bytes; 16 bytes past the end are overwritten
 * @param first for each output pixel the byte offset of its first tap in a row, i32
 * @param pairCount for each output pixel the number of pairs of taps, i32
 * @param high @param low pairs of weight parts, `stride` pairs for each output pixel
 */
export function resizeRows(
  input: usize,
  inputStride: usize,
  rowCount: i32,
  out: usize,
  width: i32,
  first: usize,
  pairCount: usize,
  high: usize,
  low: usize,
  stride: i32,
): void {
  // R0 G0 B0 R1 G1 B1 … → R0 R1, G0 G1, B0 B1 as 16-bit integers; index 16 and above gives zero.
  const pairUp = i8x16(0, 16, 3, 16, 1, 16, 4, 16, 2, 16, 5, 16, 16, 16, 16, 16);
  for (let y = 0; y < rowCount; y++) {
    for (let x = 0; x < width; x++) {
      let from = input + load<u32>(first + ((<usize>x) << 2));
      const pairs = load<i32>(pairCount + ((<usize>x) << 2));
      let weights = (<usize>(x * stride)) << 2;
      const end = weights + ((<usize>pairs) << 2);
      let sumHigh = i32x4.splat(0);
      let sumLow = i32x4.splat(0);
      while (weights < end) {
        const pixels = i8x16.swizzle(v128.load64_zero(from), pairUp);
        sumHigh = i32x4.add(sumHigh, i32x4.dot_i16x8_s(pixels, v128.load32_splat(high + weights)));
        sumLow = i32x4.add(sumLow, i32x4.dot_i16x8_s(pixels, v128.load32_splat(low + weights)));
        from += 6;
        weights += 4;
      }
      const words = i16x8.narrow_i32x4_s(join(sumHigh, sumLow), i32x4.splat(0));
      // Four bytes, the fourth of them 0: the next pixel writes over it.
      store<u32>(out, i32x4.extract_lane(i8x16.narrow_i16x8_u(words, words), 0));
      out += 3;
    }
    input += inputStride;
  }
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
  const end = (<usize>pairs) << 2;
  for (let i = 0; i < length; i += 16) {
    let high0 = i32x4.splat(0),
      high1 = high0,
      high2 = high0,
      high3 = high0;
    let low0 = high0,
      low1 = high0,
      low2 = high0,
      low3 = high0;
    let row = input + i;
    for (let weights: usize = 0; weights < end; weights += 4) {
      const a = v128.load(row);
      const b = v128.load(row + inputStride);
      row += inputStride << 1;
      const left = i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const right = i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
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
    v128.store(out + i, i8x16.narrow_i16x8_u(words0, words1));
  }
}

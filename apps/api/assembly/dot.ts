/** Inner products of one vector with rows of a matrix. E values a row, float32. */

/** Four products at a time in four sums, which the processor can keep going side by side. */
function dot(a: usize, b: usize, E: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let e = 0;
  for (; e + 16 <= E; e += 16) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(a, 32), v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(a, 48), v128.load(b, 48)));
    a += 64;
    b += 64;
  }
  const s = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
  let sum =
    f32x4.extract_lane(s, 0) +
    f32x4.extract_lane(s, 1) +
    (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3));
  for (; e < E; e++) {
    sum += load<f32>(a) * load<f32>(b);
    a += 4;
    b += 4;
  }
  return sum;
}

/** out[n] = vector · matrix[n] for the first `count` rows. */
export function scoreAll(vector: usize, matrix: usize, count: i32, E: i32, out: usize): void {
  const stride = <usize>E * 4;
  for (let n = 0; n < count; n++) {
    store<f32>(out, dot(vector, matrix, E));
    matrix += stride;
    out += 4;
  }
}

/** out[n] = vector · matrix[rows[n]] for `count` rows. */
export function scoreRows(vector: usize, matrix: usize, rows: usize, count: i32, E: i32, out: usize): void {
  const stride = <usize>E * 4;
  for (let n = 0; n < count; n++) {
    store<f32>(out, dot(vector, matrix + <usize>load<u32>(rows) * stride, E));
    rows += 4;
    out += 4;
  }
}

/** The sum of products of E bytes and E 16-bit integers; E is a multiple of 16. */
function dotBytes(a: usize, b: usize, E: i32): i32 {
  let s0 = i32x4.splat(0);
  let s1 = i32x4.splat(0);
  for (let e = 0; e < E; e += 16) {
    const bytes = v128.load(a);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(bytes), v128.load(b)));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(bytes), v128.load(b, 16)));
    a += 16;
    b += 32;
  }
  const s = i32x4.add(s0, s1);
  return (
    i32x4.extract_lane(s, 0) +
    i32x4.extract_lane(s, 1) +
    (i32x4.extract_lane(s, 2) + i32x4.extract_lane(s, 3))
  );
}

/**
 * Between what values the product of the query with a row lies. A row is E bytes, and behind them as float32 what one
 * of them stands for, how far the row is from the vector that it stands for, and its length.
 *
 * @param query E 16-bit integers @param unit what one of them stands for
 * @param length of the query @param error how far its integers are from it
 */
function bound(
  query: usize,
  unit: f32,
  length: f32,
  error: f32,
  row: usize,
  E: i32,
  lower: usize,
  upper: usize,
): void {
  const behind = row + <usize>E;
  const product = <f32>dotBytes(row, query, E) * unit * load<f32>(behind);
  const deviation = length * load<f32>(behind, 4) + error * load<f32>(behind, 8);
  store<f32>(lower, product - deviation);
  store<f32>(upper, product + deviation);
}

/** lower[n], upper[n] of the first `count` rows. */
export function boundAll(
  query: usize,
  unit: f32,
  length: f32,
  error: f32,
  matrix: usize,
  stride: i32,
  count: i32,
  E: i32,
  lower: usize,
  upper: usize,
): void {
  for (let n = 0; n < count; n++) {
    bound(query, unit, length, error, matrix, E, lower, upper);
    matrix += stride;
    lower += 4;
    upper += 4;
  }
}

/** lower[n], upper[n] of `count` rows: matrix[rows[n]]. */
export function boundRows(
  query: usize,
  unit: f32,
  length: f32,
  error: f32,
  matrix: usize,
  stride: i32,
  rows: usize,
  count: i32,
  E: i32,
  lower: usize,
  upper: usize,
): void {
  for (let n = 0; n < count; n++) {
    bound(query, unit, length, error, matrix + <usize>load<u32>(rows) * <usize>stride, E, lower, upper);
    rows += 4;
    lower += 4;
    upper += 4;
  }
}

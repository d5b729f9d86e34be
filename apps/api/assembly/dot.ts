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

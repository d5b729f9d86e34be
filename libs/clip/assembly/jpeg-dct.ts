/**
 * Coefficients of an 8 × 8 block → samples: libjpeg-turbo's accurate integer DCT (jidctint-sse2), to the last bit
 * (AssemblyScript).
 */
import { high, low, pair } from './jpeg-vectors';

/** A block that has a DC coefficient only. */
export function fill(dc: i32, out: usize, stride: usize): void {
  const value = min(max((dc + 4) >> 3, -128), 127) + 128;
  const row = <u64>value * 0x0101010101010101;
  for (let y = 0; y < 8; y++, out += stride) store<u64>(out, row);
}

/** @param block 64 coefficients, i16, and room for 128 + 128 bytes after them */
export function inverseDct(block: usize, out: usize, stride: usize): void {
  const work = block + 128;
  transform(block, work, 11);
  transpose(work, work + 128);
  transform(work + 128, work, 18);
  transpose(work, work + 128);
  const middle = i8x16.splat(-128);
  for (let y: usize = 0; y < 128; y += 16, out += stride) {
    const row = v128.load(work + 128 + y);
    store<u64>(out, i64x2.extract_lane(v128.xor(i8x16.narrow_i16x8_s(row, row), middle), 0));
  }
}

function descale(a: v128, b: v128, shift: i32): v128 {
  const round = i32x4.splat(1 << (shift - 1));
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(a, round), shift),
    i32x4.shr_s(i32x4.add(b, round), shift),
  );
}

/**
 * Eight transforms of eight numbers side by side: row k of `from` holds the k-th number of each. Loeffler, Ligtenberg and
 * Moschytz 1989, with 13 fractional bits.
 */
function transform(from: usize, to: usize, shift: i32): void {
  const in0 = v128.load(from);
  const in1 = v128.load(from, 16);
  const in2 = v128.load(from, 32);
  const in3 = v128.load(from, 48);
  const in4 = v128.load(from, 64);
  const in5 = v128.load(from, 80);
  const in6 = v128.load(from, 96);
  const in7 = v128.load(from, 112);
  // Even part.
  const even26L = low(in2, in6);
  const even26H = high(in2, in6);
  const f3 = pair(4433 + 6270, 4433);
  const f2 = pair(4433, 4433 - 15137);
  const e3L = i32x4.dot_i16x8_s(even26L, f3);
  const e3H = i32x4.dot_i16x8_s(even26H, f3);
  const e2L = i32x4.dot_i16x8_s(even26L, f2);
  const e2H = i32x4.dot_i16x8_s(even26H, f2);
  const sum04 = i16x8.add(in0, in4);
  const diff04 = i16x8.sub(in0, in4);
  const e0L = i32x4.shl(i32x4.extend_low_i16x8_s(sum04), 13);
  const e0H = i32x4.shl(i32x4.extend_high_i16x8_s(sum04), 13);
  const e1L = i32x4.shl(i32x4.extend_low_i16x8_s(diff04), 13);
  const e1H = i32x4.shl(i32x4.extend_high_i16x8_s(diff04), 13);
  const t10L = i32x4.add(e0L, e3L);
  const t10H = i32x4.add(e0H, e3H);
  const t13L = i32x4.sub(e0L, e3L);
  const t13H = i32x4.sub(e0H, e3H);
  const t11L = i32x4.add(e1L, e2L);
  const t11H = i32x4.add(e1H, e2H);
  const t12L = i32x4.sub(e1L, e2L);
  const t12H = i32x4.sub(e1H, e2H);
  // Odd part.
  const z3 = i16x8.add(in3, in7);
  const z4 = i16x8.add(in1, in5);
  const zL = low(z3, z4);
  const zH = high(z3, z4);
  const g3 = pair(9633 - 16069, 9633);
  const g4 = pair(9633, 9633 - 3196);
  const z3L = i32x4.dot_i16x8_s(zL, g3);
  const z3H = i32x4.dot_i16x8_s(zH, g3);
  const z4L = i32x4.dot_i16x8_s(zL, g4);
  const z4H = i32x4.dot_i16x8_s(zH, g4);
  const p71L = low(in7, in1);
  const p71H = high(in7, in1);
  const p53L = low(in5, in3);
  const p53H = high(in5, in3);
  const h0 = pair(2446 - 7373, -7373);
  const h3 = pair(-7373, 12299 - 7373);
  const h1 = pair(16819 - 20995, -20995);
  const h2 = pair(-20995, 25172 - 20995);
  const o0L = i32x4.add(i32x4.dot_i16x8_s(p71L, h0), z3L);
  const o0H = i32x4.add(i32x4.dot_i16x8_s(p71H, h0), z3H);
  const o3L = i32x4.add(i32x4.dot_i16x8_s(p71L, h3), z4L);
  const o3H = i32x4.add(i32x4.dot_i16x8_s(p71H, h3), z4H);
  const o1L = i32x4.add(i32x4.dot_i16x8_s(p53L, h1), z4L);
  const o1H = i32x4.add(i32x4.dot_i16x8_s(p53H, h1), z4H);
  const o2L = i32x4.add(i32x4.dot_i16x8_s(p53L, h2), z3L);
  const o2H = i32x4.add(i32x4.dot_i16x8_s(p53H, h2), z3H);
  v128.store(to, descale(i32x4.add(t10L, o3L), i32x4.add(t10H, o3H), shift));
  v128.store(to, descale(i32x4.sub(t10L, o3L), i32x4.sub(t10H, o3H), shift), 112);
  v128.store(to, descale(i32x4.add(t11L, o2L), i32x4.add(t11H, o2H), shift), 16);
  v128.store(to, descale(i32x4.sub(t11L, o2L), i32x4.sub(t11H, o2H), shift), 96);
  v128.store(to, descale(i32x4.add(t12L, o1L), i32x4.add(t12H, o1H), shift), 32);
  v128.store(to, descale(i32x4.sub(t12L, o1L), i32x4.sub(t12H, o1H), shift), 80);
  v128.store(to, descale(i32x4.add(t13L, o0L), i32x4.add(t13H, o0H), shift), 48);
  v128.store(to, descale(i32x4.sub(t13L, o0L), i32x4.sub(t13H, o0H), shift), 64);
}

/** Transposes eight rows of eight 16-bit numbers. */
function transpose(from: usize, to: usize): void {
  const a0 = v128.load(from);
  const a1 = v128.load(from, 16);
  const a2 = v128.load(from, 32);
  const a3 = v128.load(from, 48);
  const a4 = v128.load(from, 64);
  const a5 = v128.load(from, 80);
  const a6 = v128.load(from, 96);
  const a7 = v128.load(from, 112);
  // Rows k and k + 4 are interleaved three times.
  const b0 = low(a0, a4);
  const b1 = high(a0, a4);
  const b2 = low(a1, a5);
  const b3 = high(a1, a5);
  const b4 = low(a2, a6);
  const b5 = high(a2, a6);
  const b6 = low(a3, a7);
  const b7 = high(a3, a7);
  const c0 = low(b0, b4);
  const c1 = high(b0, b4);
  const c2 = low(b1, b5);
  const c3 = high(b1, b5);
  const c4 = low(b2, b6);
  const c5 = high(b2, b6);
  const c6 = low(b3, b7);
  const c7 = high(b3, b7);
  v128.store(to, low(c0, c4));
  v128.store(to, high(c0, c4), 16);
  v128.store(to, low(c1, c5), 32);
  v128.store(to, high(c1, c5), 48);
  v128.store(to, low(c2, c6), 64);
  v128.store(to, high(c2, c6), 80);
  v128.store(to, low(c3, c7), 96);
  v128.store(to, high(c3, c7), 112);
}

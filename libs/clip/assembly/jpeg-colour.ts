/**
 * Planes of samples → RGB: libjpeg-turbo's "fancy" upsampling (jdsample.c) and its fixed-point YCbCr → RGB (jdcolor.c),
 * to the last bit (AssemblyScript).
 */
import { high, low, pair } from './jpeg-vectors';

/**
 * Planes → RGB rows.
 * @param h @param v how many luma samples a chroma sample covers: 1 × 1, 2 × 1 or 2 × 2
 * @param chromaWidth @param chromaHeight samples that belong to the image
 * @param scratch 8 · chromaWidth + 256 bytes
 * @param out width × height × 3 bytes; up to 48 past the end are overwritten
 */
export function toRgb(
  luma: usize,
  lumaStride: i32,
  blue: usize,
  red: usize,
  chromaStride: i32,
  width: i32,
  height: i32,
  h: i32,
  v: i32,
  chromaWidth: i32,
  chromaHeight: i32,
  scratch: usize,
  out: usize,
): void {
  const blueRow = scratch;
  const redRow = blueRow + 2 * chromaWidth + 64;
  const sums = redRow + 2 * chromaWidth + 64 + 16;
  for (let y = 0; y < height; y++) {
    const near = v === 2 ? y >> 1 : y;
    const far = v === 2 ? min(max(near + ((y & 1) === 1 ? 1 : -1), 0), chromaHeight - 1) : near;
    const nearRow = <usize>(near * chromaStride);
    const farRow = <usize>(far * chromaStride);
    const lumaRow = luma + <usize>(y * lumaStride);
    if (h === 1) {
      colorRow(lumaRow, blue + nearRow, red + nearRow, out, width);
    } else {
      upsample(blue + nearRow, blue + farRow, v, chromaWidth, sums, blueRow);
      upsample(red + nearRow, red + farRow, v, chromaWidth, sums, redRow);
      colorRow(lumaRow, blueRow, redRow, out, width);
    }
    out += <usize>(width * 3);
  }
}

/** A row of chroma samples to twice its width, weighing the nearer sample three times the farther. */
function upsample(near: usize, far: usize, v: i32, width: i32, sums: usize, out: usize): void {
  const three = i16x8.splat(3);
  for (let i = 0; i < width; i += 8) {
    let sum = v128.load8x8_u(near + i);
    if (v === 2) sum = i16x8.add(i16x8.mul(sum, three), v128.load8x8_u(far + i));
    v128.store(sums + ((<usize>i) << 1), sum);
  }
  const end = sums + ((<usize>width) << 1);
  store<u16>(sums - 2, load<u16>(sums));
  store<u16>(end, load<u16>(end - 2));
  const shift = v === 2 ? 4 : 2;
  const roundEven = i16x8.splat(v === 2 ? 8 : 1);
  const roundOdd = i16x8.splat(v === 2 ? 7 : 2);
  for (let i = 0; i < width; i += 8) {
    const at = sums + ((<usize>i) << 1);
    const thrice = i16x8.mul(v128.load(at), three);
    const even = i16x8.shr_u(i16x8.add(i16x8.add(thrice, v128.load(at - 2)), roundEven), shift);
    const odd = i16x8.shr_u(i16x8.add(i16x8.add(thrice, v128.load(at + 2)), roundOdd), shift);
    // Even bytes from the one, odd bytes from the other.
    v128.store(out + ((<usize>i) << 1), v128.or(even, i16x8.shl(odd, 8)));
  }
}

/** R, G or B from the sixteen samples, eight at a time: y + whole · chroma + (chroma parts >> 16). */
function scaled(a: v128, b: v128, factors: v128): v128 {
  const half = i32x4.splat(32768);
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(low(a, b), factors), half), 16),
    i32x4.shr_s(i32x4.add(i32x4.dot_i16x8_s(high(a, b), factors), half), 16),
  );
}

function colorRow(luma: usize, blue: usize, red: usize, out: usize, width: i32): void {
  const middle = i16x8.splat(128);
  // 1.402 = 1 + 26345/65536, 1.772 = 2 − 14942/65536, −0.714 = −1 + 18734/65536
  const forRed = pair(0, 26345);
  const forGreen = pair(-22554, 18734);
  const forBlue = pair(-14942, 0);
  for (let x = 0; x < width; x += 16, out += 48) {
    const y = v128.load(luma + x);
    const cb = v128.load(blue + x);
    const cr = v128.load(red + x);
    const yL = i16x8.extend_low_i8x16_u(y);
    const yH = i16x8.extend_high_i8x16_u(y);
    const bL = i16x8.sub(i16x8.extend_low_i8x16_u(cb), middle);
    const bH = i16x8.sub(i16x8.extend_high_i8x16_u(cb), middle);
    const rL = i16x8.sub(i16x8.extend_low_i8x16_u(cr), middle);
    const rH = i16x8.sub(i16x8.extend_high_i8x16_u(cr), middle);
    const R = i8x16.narrow_i16x8_u(
      i16x8.add(i16x8.add(yL, rL), scaled(bL, rL, forRed)),
      i16x8.add(i16x8.add(yH, rH), scaled(bH, rH, forRed)),
    );
    const G = i8x16.narrow_i16x8_u(
      i16x8.add(i16x8.sub(yL, rL), scaled(bL, rL, forGreen)),
      i16x8.add(i16x8.sub(yH, rH), scaled(bH, rH, forGreen)),
    );
    const B = i8x16.narrow_i16x8_u(
      i16x8.add(i16x8.add(yL, i16x8.add(bL, bL)), scaled(bL, rL, forBlue)),
      i16x8.add(i16x8.add(yH, i16x8.add(bH, bH)), scaled(bH, rH, forBlue)),
    );
    const rg0 = i8x16.shuffle(R, G, 0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20, 0, 5);
    v128.store(out, i8x16.shuffle(rg0, B, 0, 1, 16, 3, 4, 17, 6, 7, 18, 9, 10, 19, 12, 13, 20, 15));
    const rg1 = i8x16.shuffle(R, G, 21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0, 10, 26);
    v128.store(out, i8x16.shuffle(rg1, B, 0, 21, 2, 3, 22, 5, 6, 23, 8, 9, 24, 11, 12, 25, 14, 15), 16);
    const rg2 = i8x16.shuffle(R, G, 0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0, 15, 31, 0);
    v128.store(out, i8x16.shuffle(rg2, B, 26, 1, 2, 27, 4, 5, 28, 7, 8, 29, 10, 11, 30, 13, 14, 31), 32);
  }
}

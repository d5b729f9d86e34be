/**
 * The inner loops of the JPEG decoder in WebAssembly with 128-bit SIMD (AssemblyScript, not TypeScript: pointers are
 * byte offsets into the module's memory). Baseline images (ITU-T T.81) only; src/preprocess/jpeg reads the markers.
 *
 * The arithmetic is that of libjpeg-turbo's defaults, to the last bit: the accurate integer DCT (jidctint-sse2),
 * "fancy" upsampling (jdsample.c) and its fixed-point YCbCr → RGB (jdcolor.c).
 */

/** Bits per look-up in a Huffman table. */
const LOOKUP: i32 = 11;

/* An entry of an AC table: bits 0–7 how many bits it takes, 8–11 the run of zeros, 12–15 its kind, 16–31 a value. */
/** A whole coefficient: its value. */
const WHOLE: u32 = 0;
/** A coefficient whose bits did not fit: how many there are. */
const SIZED: u32 = 1;
/** A code longer than the look-up. */
const LONG: u32 = 2;
/** End of block, and sixteen zeros. */
const END: u32 = 3;
const ZEROS: u32 = 4;

/**
 * Sizes of the consecutive tables of a Huffman code: look-up (u32), largest code and offset by length (i32), symbols.
 */
const LENGTHS: i32 = 18;
const LARGEST: usize = 4 << LOOKUP;
const OFFSETS: usize = LARGEST + LENGTHS * 4;
const SYMBOLS: usize = OFFSETS + LENGTHS * 4;

/* A component, i32 each: h and v blocks of an MCU, plane, its stride, DC and AC table, quantisation (u16, zigzag), last DC. */
const COMPONENT: usize = 32;

/**
 * Entropy-coded bytes without stuffing and restart markers.
 * @param segments gets the end in `out` of each segment between markers, i32; at most `maxSegments`
 * @param result gets where the data ends in the input, and the number of segments, i32; 0 segments: damaged
 */
export function unstuff(
  input: usize,
  length: i32,
  out: usize,
  segments: usize,
  maxSegments: i32,
  result: usize,
): void {
  let from = input;
  let to = out;
  let count = 0;
  const end = input + length;
  const mark = i8x16.splat(-1);
  store<i32>(result, 0, 4);
  while (from < end) {
    const bytes = v128.load(from);
    v128.store(to, bytes);
    const marks = i8x16.bitmask(i8x16.eq(bytes, mark));
    if (marks === 0) {
      from += 16;
      to += 16;
      continue;
    }
    const before = ctz(marks);
    from += before;
    to += before;
    if (from + 1 >= end) return;
    const code = load<u8>(from, 1);
    if (code === 0) {
      store<u8>(to, 0xff);
      to++;
      from += 2;
      continue;
    }
    if (count === maxSegments) return;
    store<i32>(segments + (count << 2), <i32>(to - out));
    count++;
    if ((code & 0xf8) !== 0xd0) {
      store<i32>(result, <i32>(from - input));
      store<i32>(result, count, 4);
      return;
    }
    from += 2;
  }
}

/**
 * The scan: every block of every MCU, to 8-bit samples in the components' planes.
 * @param coefficients room for a block, 128 bytes, and three blocks more
 * @param zigzag u8: byte offset in a block of each coefficient
 * @returns 0 when all of it is well-formed
 */
export function decodeScan(
  data: usize,
  segments: usize,
  segmentCount: i32,
  restartInterval: i32,
  mcuColumns: i32,
  mcuRows: i32,
  components: usize,
  componentCount: i32,
  coefficients: usize,
  zigzag: usize,
): i32 {
  let from = data;
  let bits: u64 = 0;
  let left = 0;
  let segment = 0;
  let untilRestart = restartInterval;
  const zero = i64x2.splat(0);
  for (let row = 0; row < mcuRows; row++) {
    for (let column = 0; column < mcuColumns; column++) {
      if (restartInterval > 0 && untilRestart === 0) {
        const end = data + load<i32>(segments + (segment << 2));
        if (from - (left >> 3) !== end) return 1;
        segment++;
        if (segment >= segmentCount) return 1;
        from = end;
        bits = 0;
        left = 0;
        untilRestart = restartInterval;
        for (let c = 0; c < componentCount; c++) store<i32>(components + <usize>c * COMPONENT, 0, 28);
      }
      untilRestart--;
      for (let c = 0; c < componentCount; c++) {
        const component = components + <usize>c * COMPONENT;
        const h = load<i32>(component);
        const blocks = h * load<i32>(component, 4);
        const stride = <usize>load<i32>(component, 12);
        const dc = <usize>load<i32>(component, 16);
        const ac = <usize>load<i32>(component, 20);
        const quantization = <usize>load<i32>(component, 24);
        for (let block = 0; block < blocks; block++) {
          // The DC coefficient: its size, then the difference from the last one.
          if (left < 32) {
            bits |= (<u64>bswap<u32>(load<u32>(from))) << (32 - left);
            from += 4;
            left += 32;
          }
          let entry = load<u32>(dc + ((<usize>(bits >> (64 - LOOKUP))) << 2));
          let size: i32;
          if (((entry >> 12) & 15) === LONG) {
            const long = longCode(dc, bits);
            if (long < 0) return 2;
            size = long & 0xff;
            bits <<= long >> 8;
            left -= long >> 8;
          } else {
            size = entry >> 16;
            bits <<= entry & 0xff;
            left -= entry & 0xff;
          }
          if (size > 11) return 2;
          let last = load<i32>(component, 28);
          if (size > 0) {
            last += extend(<i32>(bits >> (64 - size)), size);
            bits <<= size;
            left -= size;
            store<i32>(component, last, 28);
          }
          const target =
            <usize>load<i32>(component, 8) +
            <usize>((row * (blocks / h) + block / h) * 8) * stride +
            <usize>((column * h + (block % h)) * 8);
          const first = <i16>(last * load<u16>(quantization));

          let k = 1;
          let some = false;
          while (k < 64) {
            if (left < 32) {
              bits |= (<u64>bswap<u32>(load<u32>(from))) << (32 - left);
              from += 4;
              left += 32;
            }
            entry = load<u32>(ac + ((<usize>(bits >> (64 - LOOKUP))) << 2));
            let kind = (entry >> 12) & 15;
            let value = (<i32>entry) >> 16;
            let run = (entry >> 8) & 15;
            if (kind === LONG) {
              const long = longCode(ac, bits);
              if (long < 0) return 2;
              bits <<= long >> 8;
              left -= long >> 8;
              run = (long >> 4) & 15;
              value = long & 15;
              kind = value === 0 ? (run === 15 ? ZEROS : END) : SIZED;
            } else {
              bits <<= entry & 0xff;
              left -= entry & 0xff;
            }
            if (kind === END) break;
            if (kind === ZEROS) {
              k += 16;
              continue;
            }
            if (kind === SIZED) {
              size = value;
              value = extend(<i32>(bits >> (64 - size)), size);
              bits <<= size;
              left -= size;
            }
            k += run;
            if (k > 63) return 2;
            if (!some) {
              some = true;
              for (let i: usize = 0; i < 128; i += 16) v128.store(coefficients + i, zero);
            }
            store<i16>(
              coefficients + load<u8>(zigzag + k),
              <i16>(value * load<u16>(quantization + ((<usize>k) << 1))),
            );
            k++;
          }
          if (k > 64) return 2;
          if (some) {
            store<i16>(coefficients, first);
            inverseDct(coefficients, target, stride);
          } else {
            fill(<i32>first, target, stride);
          }
        }
      }
    }
  }
  return segment === segmentCount - 1 && from - (left >> 3) === data + load<i32>(segments + (segment << 2))
    ? 0
    : 1;
}

/** Length · 256 + symbol of a code that is longer than the look-up; negative when there is none. */
function longCode(table: usize, bits: u64): i32 {
  for (let length = LOOKUP + 1; length <= 16; length++) {
    const code = <i32>(bits >> (64 - length));
    if (code <= load<i32>(table + LARGEST + ((<usize>length) << 2))) {
      const place = code + load<i32>(table + OFFSETS + ((<usize>length) << 2));
      return (length << 8) | load<u8>(table + SYMBOLS + place);
    }
  }
  return -1;
}

/** The signed value of `size` bits (T.81, procedure EXTEND). */
function extend(value: i32, size: i32): i32 {
  return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

/** A block that has a DC coefficient only. */
function fill(dc: i32, out: usize, stride: usize): void {
  const value = min(max((dc + 4) >> 3, -128), 127) + 128;
  const row = <u64>value * 0x0101010101010101;
  for (let y = 0; y < 8; y++, out += stride) store<u64>(out, row);
}

/** @param block 64 coefficients, i16, and room for 128 + 128 bytes after them */
function inverseDct(block: usize, out: usize, stride: usize): void {
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

function low(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}

function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

/** Two factors, for pairs of 16-bit numbers. */
function pair(a: i32, b: i32): v128 {
  return i32x4.splat((a & 0xffff) | (b << 16));
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

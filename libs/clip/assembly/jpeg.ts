/**
 * The JPEG decoder's kernels in WebAssembly with 128-bit SIMD (AssemblyScript, not TypeScript: pointers are byte offsets
 * into the module's memory): here the entropy-coded data of a baseline image (ITU-T T.81), in jpeg-dct.ts and
 * jpeg-colour.ts what follows. src/preprocess/jpeg reads the markers.
 */
import { fill, inverseDct } from './jpeg-dct';

export { toRgb } from './jpeg-colour';

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

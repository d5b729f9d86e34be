/**
 * Plain JPEG files → RGB in WebAssembly SIMD (assembly/jpeg.ts), on the thread that asks. The pixels equal
 * libjpeg-turbo's and so PIL's bit for bit. For photos of some hundred pixels a side it takes less time than libvips
 * (docs/decisions/031).
 *
 * Other files, malformed ones included, are left to libvips: the result is then undefined.
 */
import { JPEG_WASM } from '../../generated/jpeg-wasm.js';
import type { RgbImage } from '../rgb-image.js';
import { alignUp, ROWS_READ, Workspace } from '../workspace.js';
import { readMarkers, type HuffmanTable, type JpegFrame } from './markers.js';

/** Larger images would take much memory here. */
const MAX_PIXELS = 1 << 22;
const MAX_BYTES = 1 << 23;
/** libjpeg treats images of a few pixels differently. */
const MIN_SIDE = 8;

/** Tables that are kept, 9 KB each. */
const MAX_LOOKUPS = 64;

/** Bytes that a kernel may read or write past the end of what it is given. */
const SLACK = 64;

/* As in assembly/jpeg.ts. */
const LOOKUP = 11;
const LENGTHS = 18;
const LARGEST = 4 << LOOKUP;
const OFFSETS = LARGEST + LENGTHS * 4;
const SYMBOLS = OFFSETS + LENGTHS * 4;
const [WHOLE, SIZED, LONG, END, ZEROS] = [0, 1, 2, 3, 4];
const COMPONENT_FIELDS = 8;

interface Kernels {
  unstuff(
    input: number,
    length: number,
    out: number,
    segments: number,
    maxSegments: number,
    result: number,
  ): void;
  decodeScan(
    data: number,
    segments: number,
    segmentCount: number,
    restartInterval: number,
    mcuColumns: number,
    mcuRows: number,
    components: number,
    componentCount: number,
    coefficients: number,
    zigzag: number,
  ): number;
  toRgb(
    luma: number,
    lumaStride: number,
    blue: number,
    red: number,
    chromaStride: number,
    width: number,
    height: number,
    h: number,
    v: number,
    chromaWidth: number,
    chromaHeight: number,
    scratch: number,
    out: number,
  ): void;
}

/** Decodes into a workspace. Not to be shared between threads. */
export class JpegDecoder {
  private readonly kernels: Kernels;
  /** By kind and content: most files of a camera or a program have the same. */
  private readonly lookups = new Map<string, Uint8Array>();

  constructor(private readonly workspace = new Workspace()) {
    this.kernels = workspace.load(JPEG_WASM);
  }

  /** @returns pixels that are valid until the next call; undefined when the image is not plain, too large or damaged */
  decode(bytes: Uint8Array, maxPixels = MAX_PIXELS): RgbImage | undefined {
    if (bytes.length > MAX_BYTES) return undefined;
    const frame = readMarkers(bytes);
    if (frame === undefined) return undefined;
    const { width, height } = frame;
    if (Math.min(width, height) < MIN_SIDE || width * height > Math.min(maxPixels, MAX_PIXELS))
      return undefined;
    try {
      return this.decodeFrame(bytes, frame);
    } catch {
      // A damaged scan reads past the end of the memory.
      return undefined;
    }
  }

  private decodeFrame(bytes: Uint8Array, frame: JpegFrame): RgbImage | undefined {
    const { width, height, components, restartInterval, scanStart } = frame;
    const { h, v } = components[0]!;
    const mcuColumns = Math.ceil(width / (8 * h));
    const mcuRows = Math.ceil(height / (8 * v));
    const mcus = mcuColumns * mcuRows;
    const scan = bytes.subarray(scanStart);

    let next = this.workspace.scratchEnd;
    const take = (size: number): number => {
      const start = next;
      next += alignUp(size + SLACK);
      return start;
    };
    const maxSegments = restartInterval === 0 ? 1 : Math.ceil(mcus / restartInterval);
    const input = take(scan.length);
    const data = take(scan.length);
    const segments = take(maxSegments * 4);
    const result = take(8);
    const zigzag = take(64);
    const coefficients = take(4 * 128);
    const componentTable = take(components.length * COMPONENT_FIELDS * 4);
    const planes = components.map((component) => {
      const stride = mcuColumns * component.h * 8;
      return {
        stride,
        plane: take(stride * mcuRows * component.v * 8),
        quantization: take(128),
        dc: take(SYMBOLS + 256),
        ac: take(SYMBOLS + 256),
      };
    });
    const chromaWidth = Math.ceil(width / h);
    const grey = take(width);
    const scratch = take(8 * chromaWidth + 256);
    const out = take(width * (height + ROWS_READ) * 3);
    this.workspace.growTo(next);
    const memory = this.workspace.bytes;

    memory.set(scan, input);
    this.kernels.unstuff(input, scan.length, data, segments, maxSegments, result);
    const [end, segmentCount] = new Int32Array(memory.buffer, result, 2) as unknown as [number, number];
    // The scan ends the image: anything but its end is another scan.
    if (segmentCount !== maxSegments || scan[end + 1] !== 0xd9) return undefined;

    memory.set(ZIGZAG_BYTES, zigzag);
    const fields = new Int32Array(memory.buffer, componentTable, components.length * COMPONENT_FIELDS);
    for (const [n, component] of components.entries()) {
      const { plane, stride, quantization, dc, ac } = planes[n]!;
      new Uint16Array(memory.buffer, quantization, 64).set(component.quantization);
      memory.set(this.lookupOf(component.dc, fillDc), dc);
      memory.set(this.lookupOf(component.ac, fillAc), ac);
      fields.set([component.h, component.v, plane, stride, dc, ac, quantization, 0], n * COMPONENT_FIELDS);
    }
    const outcome = this.kernels.decodeScan(
      data,
      segments,
      segmentCount,
      restartInterval,
      mcuColumns,
      mcuRows,
      componentTable,
      components.length,
      coefficients,
      zigzag,
    );
    if (outcome !== 0) return undefined;

    const luma = planes[0]!;
    memory.fill(128, grey, grey + width + SLACK / 2);
    this.kernels.toRgb(
      luma.plane,
      luma.stride,
      planes[1]?.plane ?? grey,
      planes[2]?.plane ?? grey,
      planes[1]?.stride ?? 0,
      width,
      height,
      h,
      v,
      chromaWidth,
      Math.ceil(height / v),
      scratch,
      out,
    );
    return { data: memory.subarray(out, out + width * height * 3), width, height };
  }

  private lookupOf(table: HuffmanTable, fill: FillLookup): Uint8Array {
    const key = String.fromCharCode(...table.counts, ...table.symbols) + fill.name;
    const known = this.lookups.get(key);
    if (known !== undefined) return known;
    if (this.lookups.size === MAX_LOOKUPS) this.lookups.clear();
    const made = lookupTable(table, fill);
    this.lookups.set(key, made);
    return made;
  }
}

/**
 * Writes what the look-up holds for all bits that begin with a code.
 * @param first of these places @param length of the code @param symbol that it stands for
 */
type FillLookup = (lookup: Int32Array, first: number, length: number, symbol: number) => void;

const packed = (kind: number, length: number, run: number, value: number): number =>
  length | (run << 8) | (kind << 12) | (value << 16);

const fillDc: FillLookup = (lookup, first, length, symbol) => {
  lookup.fill(packed(WHOLE, length, 0, symbol), first, first + (1 << (LOOKUP - length)));
};

const fillAc: FillLookup = (lookup, first, length, symbol) => {
  const [run, size] = [symbol >> 4, symbol & 15];
  const rest = LOOKUP - length - size;
  if (size === 0 || rest < 0) {
    const entry =
      size === 0 ? packed(run === 15 ? ZEROS : END, length, run, 0) : packed(SIZED, length, run, size);
    lookup.fill(entry, first, first + (1 << (LOOKUP - length)));
    return;
  }
  // The value follows the code, and its bits are the next of the place.
  for (let bits = 0; bits < 1 << size; bits++) {
    const value = bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
    const start = first + (bits << rest);
    lookup.fill(packed(WHOLE, length + size, run, value), start, start + (1 << rest));
  }
};

/** The table of a code as assembly/jpeg.ts reads it (T.81, annexes C and F.2.2.3). */
function lookupTable({ counts, symbols }: HuffmanTable, fill: FillLookup): Uint8Array {
  const bytes = new Uint8Array(SYMBOLS + 256);
  const lookup = new Int32Array(bytes.buffer, 0, 1 << LOOKUP).fill(packed(LONG, 0, 0, 0));
  const largest = new Int32Array(bytes.buffer, LARGEST, LENGTHS).fill(-1);
  const offsets = new Int32Array(bytes.buffer, OFFSETS, LENGTHS);
  bytes.set(symbols, SYMBOLS);
  let [code, place] = [0, 0];
  for (let length = 1; length <= 16; length++, code <<= 1) {
    offsets[length] = place - code;
    for (let n = 0; n < counts[length - 1]!; n++, code++, place++) {
      largest[length] = code;
      if (length <= LOOKUP) fill(lookup, code << (LOOKUP - length), length, symbols[place]!);
    }
  }
  return bytes;
}

/** Byte offset in a block of 16-bit numbers of each coefficient (T.81, figure A.6). */
const ZIGZAG_BYTES = Uint8Array.from({ length: 64 }, () => 0);
for (let diagonal = 0, k = 0; diagonal < 15; diagonal++) {
  for (let step = Math.max(0, diagonal - 7); step <= Math.min(diagonal, 7); step++, k++) {
    const [x, y] = diagonal % 2 === 0 ? [step, diagonal - step] : [diagonal - step, step];
    ZIGZAG_BYTES[k] = (y * 8 + x) * 2;
  }
}

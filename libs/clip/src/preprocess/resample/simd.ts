/**
 * Both passes in WebAssembly SIMD (assembly/resample.ts). The module has a few megabytes of memory of its own,
 * through which the image goes in strips: of whole rows for the pass along x, of columns for the pass along y.
 */
import { RESAMPLE_WASM } from '../../generated/resample-wasm.js';
import { endOf, type Taps } from './taps.js';
import { Instance, Memory, Module } from '../webassembly.js';

/** Of 64 KiB, 8 MiB in all: a photo of 12 megapixels goes through in strips of some hundred rows. */
const PAGES = 128;
/** Below this the module keeps its own data; none at present, but address 0 stays unused. */
const BASE = 1024;
/** Bytes that a kernel may read or write past the end of what it is given. */
const SLACK = 32;
const BLOCK = 16;

interface Kernels {
  resizeRows(
    input: number,
    inputStride: number,
    rowCount: number,
    out: number,
    width: number,
    first: number,
    pairCount: number,
    high: number,
    low: number,
    stride: number,
  ): void;
  sumRows(
    input: number,
    inputStride: number,
    length: number,
    out: number,
    high: number,
    low: number,
    pairs: number,
  ): void;
}

const alignUp = (bytes: number) => Math.ceil(bytes / BLOCK) * BLOCK;

/** An instance of the kernels with its memory. Not to be shared between threads. */
export class SimdResizer {
  private readonly bytes: Uint8Array;
  private readonly kernels: Kernels;

  constructor() {
    const memory = new Memory({ initial: PAGES, maximum: PAGES });
    const module = new Module(new Uint8Array(Buffer.from(RESAMPLE_WASM, 'base64')));
    this.kernels = new Instance(module, { env: { memory } }).exports as unknown as Kernels;
    this.bytes = new Uint8Array(memory.buffer);
  }

  /**
   * Resizes each of `rowCount` rows of `inputWidth` pixels.
   * @param offset position in the full image of the first pixel of a row
   * @returns pixels [rowCount, N, 3] for N taps, or undefined when a row does not fit the memory
   */
  alongX(
    data: Uint8Array,
    inputWidth: number,
    rowCount: number,
    taps: Taps,
    offset: number,
  ): Uint8Array | undefined {
    const width = taps.first.length;
    const firstPixel = taps.first[0]!;
    const inputStride = (endOf(taps) - firstPixel) * 3;
    const outStride = width * 3;
    const layout = this.layout();
    const first = layout.take(width * 4);
    const pairCount = layout.take(width * 4);
    const high = layout.take(taps.high.byteLength);
    const low = layout.take(taps.low.byteLength);
    const strip = Math.min(
      rowCount,
      Math.floor((layout.left - 2 * SLACK - BLOCK) / (inputStride + outStride)),
    );
    if (strip < 1) return undefined;
    const input = layout.take(strip * inputStride + SLACK);
    const output = layout.take(strip * outStride + SLACK);
    this.int32(first, width).set(taps.first.map((position) => (position - firstPixel) * 3));
    this.int32(pairCount, width).set(taps.count.map((count) => (count + 1) >> 1));
    this.int16(high, taps.high.length).set(taps.high);
    this.int16(low, taps.low.length).set(taps.low);
    const out = new Uint8Array(rowCount * outStride);
    for (let y = 0; y < rowCount; y += strip) {
      const rows = Math.min(strip, rowCount - y);
      const from = (y * inputWidth + firstPixel - offset) * 3;
      this.copyIn(data, from, inputWidth * 3, rows, input, inputStride, inputStride);
      this.kernels.resizeRows(
        input,
        inputStride,
        rows,
        output,
        width,
        first,
        pairCount,
        high,
        low,
        taps.stride / 2,
      );
      out.set(this.bytes.subarray(output, output + rows * outStride), y * outStride);
    }
    return out;
  }

  /**
   * Resizes along y the columns `firstColumn … firstColumn + columnCount` of rows of `inputWidth` pixels.
   * @param offset position in the full image of the first row
   * @returns pixels [N, columnCount, 3] for N taps, or undefined when a strip of columns does not fit the memory
   */
  alongY(
    data: Uint8Array,
    inputWidth: number,
    firstColumn: number,
    columnCount: number,
    taps: Taps,
    offset: number,
  ): Uint8Array | undefined {
    const height = taps.first.length;
    const firstRow = taps.first[0]!;
    const rowCount = endOf(taps) - firstRow;
    const rowLength = columnCount * 3;
    const layout = this.layout();
    const high = layout.take(taps.high.byteLength);
    const low = layout.take(taps.low.byteLength);
    // One row more than there are: an odd number of taps is read as pairs, the last of them with a weight of 0.
    const columnBytes = rowCount + 1 + height;
    const blocks = Math.floor((layout.left - 2 * SLACK - BLOCK) / (columnBytes * BLOCK));
    if (blocks < 1) return undefined;
    const strip = Math.min(alignUp(rowLength), blocks * BLOCK);
    const input = layout.take((rowCount + 1) * strip + SLACK);
    const output = layout.take(height * strip + SLACK);
    this.int16(high, taps.high.length).set(taps.high);
    this.int16(low, taps.low.length).set(taps.low);
    const out = new Uint8Array(height * rowLength);
    for (let column = 0; column < rowLength; column += strip) {
      const length = Math.min(strip, rowLength - column);
      const from = ((firstRow - offset) * inputWidth + firstColumn) * 3 + column;
      this.copyIn(data, from, inputWidth * 3, rowCount, input, strip, length);
      for (let y = 0; y < height; y++) {
        const row = input + (taps.first[y]! - firstRow) * strip;
        const weights = y * taps.stride * 2;
        const pairs = (taps.count[y]! + 1) >> 1;
        this.kernels.sumRows(row, strip, length, output + y * strip, high + weights, low + weights, pairs);
      }
      for (let y = 0; y < height; y++) {
        const from = output + y * strip;
        out.set(this.bytes.subarray(from, from + length), y * rowLength + column);
      }
    }
    return out;
  }

  /** Copies `length` bytes of each of `rows` rows, `stride` bytes apart, to rows `toStride` bytes apart. */
  private copyIn(
    data: Uint8Array,
    from: number,
    stride: number,
    rows: number,
    to: number,
    toStride: number,
    length: number,
  ): void {
    if (stride === toStride && stride === length) {
      this.bytes.set(data.subarray(from, from + rows * stride), to);
      return;
    }
    for (let y = 0; y < rows; y++) {
      const start = from + y * stride;
      this.bytes.set(data.subarray(start, start + length), to + y * toStride);
    }
  }

  /** Hands out the memory piece by piece, aligned to 16 bytes; `left` may become negative. */
  private layout() {
    let next = BASE;
    const end = this.bytes.length;
    return {
      take(bytes: number): number {
        const start = next;
        next += alignUp(bytes);
        return start;
      },
      get left(): number {
        return end - next;
      },
    };
  }

  private int32(offset: number, length: number): Int32Array {
    return new Int32Array(this.bytes.buffer, offset, length);
  }

  private int16(offset: number, length: number): Int16Array {
    return new Int16Array(this.bytes.buffer, offset, length);
  }
}

/**
 * Both passes in WebAssembly SIMD (assembly/resample.ts). Pixels that lie in the workspace are read there, and the result lies
 * there too. What is too large goes through its scratch memory in strips: of whole rows for the pass along x, of columns for
 * the pass along y.
 */
import { RESAMPLE_WASM } from '../../generated/resample-wasm.js';
import { alignUp, ROWS_READ, Workspace } from '../workspace.js';
import type { Taps } from './taps.js';
import type { SourceImage } from './window.js';

/** Bytes that a kernel may read or write past the end of what it is given. */
const SLACK = 32;
const BLOCK = 16;
/** Bytes of the largest image that is copied into the scratch memory, and of the largest result that lies there. */
const MAX_COPIED = 3 << 20;
const MAX_RESULT = 2 << 20;

interface Kernels {
  resizeRows(
    input: number,
    inputStride: number,
    inputLength: number,
    rowCount: number,
    out: number,
    width: number,
    first: number,
    pairCount: number,
    high: number,
    low: number,
    stride: number,
    columns: number,
    sums: number,
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

/** Resizes rows of the workspace into others. */
type Kernel = (input: number, inputStride: number, extent: number, output: number, outStride: number) => void;

/**
 * The passes on the memory of a workspace. What they return may lie there, until the memory is given back.
 * Not to be shared between threads.
 */
export class SimdResizer {
  private readonly kernels: Kernels;

  constructor(private readonly workspace = new Workspace()) {
    this.kernels = workspace.load(RESAMPLE_WASM);
  }

  /** The image in the workspace, where it is not too large to be copied there. */
  held(image: SourceImage): SourceImage {
    const { data, width, height, stride = width } = image;
    const row = width * 3;
    const { workspace } = this;
    if (workspace.addressOf(data) !== undefined || row * (height + ROWS_READ) > MAX_COPIED) return image;
    const address = workspace.take(row * (height + ROWS_READ));
    this.copyIn(data, 0, stride * 3, height, address, row, row);
    return { data: workspace.view(address, row * height), width, height };
  }

  /** Gives all scratch memory back, and with it the pixels that lie there. */
  free(): void {
    this.workspace.free();
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
    const { workspace } = this;
    const inputLength = taps.reach * 3;
    const outStride = taps.first.length * 3;
    const firstByte = (taps.first[0]! - offset) * 3;
    const result = this.roomFor(data, rowCount * outStride);
    return this.temporarily(() => {
      const kernel = this.kernelAlongX(taps);
      if (kernel === undefined) return undefined;
      if (result !== undefined) {
        kernel(result.input + firstByte, inputWidth * 3, rowCount, result.output, outStride);
        return workspace.view(result.output, rowCount * outStride);
      }
      const room = workspace.left - ROWS_READ * inputLength - SLACK - 2 * BLOCK;
      const strip = Math.min(rowCount, Math.floor(room / (inputLength + outStride)));
      if (strip < 1) return undefined;
      const input = workspace.take((strip + ROWS_READ) * inputLength);
      const output = workspace.take(strip * outStride + SLACK);
      const out = new Uint8Array(rowCount * outStride);
      for (let y = 0; y < rowCount; y += strip) {
        const rows = Math.min(strip, rowCount - y);
        const from = y * inputWidth * 3 + firstByte;
        this.copyIn(data, from, inputWidth * 3, rows, input, inputLength, inputLength);
        kernel(input, inputLength, rows, output, outStride);
        out.set(workspace.view(output, rows * outStride), y * outStride);
      }
      return out;
    });
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
    const { workspace } = this;
    const height = taps.first.length;
    const rowLength = columnCount * 3;
    const firstByte = ((taps.first[0]! - offset) * inputWidth + firstColumn) * 3;
    const result = this.roomFor(data, height * rowLength);
    return this.temporarily(() => {
      const kernel = this.kernelAlongY(taps);
      if (kernel === undefined) return undefined;
      if (result !== undefined) {
        kernel(result.input + firstByte, inputWidth * 3, rowLength, result.output, rowLength);
        return workspace.view(result.output, height * rowLength);
      }
      // One row more than there are: an odd number of taps is read as pairs, the last of them with a weight of 0.
      const inputRows = taps.reach + 1;
      const blocks = Math.floor((workspace.left - 2 * SLACK - 2 * BLOCK) / ((inputRows + height) * BLOCK));
      if (blocks < 1) return undefined;
      const strip = Math.min(alignUp(rowLength), blocks * BLOCK);
      const input = workspace.take(inputRows * strip + SLACK);
      const output = workspace.take(height * strip + SLACK);
      const out = new Uint8Array(height * rowLength);
      for (let column = 0; column < rowLength; column += strip) {
        const length = Math.min(strip, rowLength - column);
        this.copyIn(data, firstByte + column, inputWidth * 3, taps.reach, input, strip, length);
        kernel(input, strip, length, output, strip);
        for (let y = 0; y < height; y++)
          out.set(workspace.view(output + y * strip, length), y * rowLength + column);
      }
      return out;
    });
  }

  /** Where a pass reads and writes that has its input in the workspace, and room there for what it makes. */
  private roomFor(data: Uint8Array, bytes: number): { input: number; output: number } | undefined {
    const input = this.workspace.addressOf(data);
    if (input === undefined || bytes > MAX_RESULT) return undefined;
    return { input, output: this.workspace.take(bytes + SLACK) };
  }

  /** Gives back the scratch memory that `work` takes. */
  private temporarily<T>(work: () => T): T {
    const mark = this.workspace.mark;
    const result = work();
    this.workspace.free(mark);
    return result;
  }

  /** For `extent` rows; undefined when its tables do not fit the memory. */
  private kernelAlongX(taps: Taps): Kernel | undefined {
    const { workspace, kernels } = this;
    const width = taps.first.length;
    const inputLength = taps.reach * 3;
    const first = workspace.take(width * 4);
    const pairs = workspace.take(width * 4);
    const weights = this.takeWeights(taps);
    const columns = workspace.take((inputLength + 64) * BLOCK);
    const sums = workspace.take((width * 3 + 32) * BLOCK);
    if (workspace.left < 0 || weights === undefined) return undefined;
    workspace.int32(first, width).set(taps.byteOffsets);
    workspace.int32(pairs, width).set(taps.pairs);
    const { high, low } = weights;
    return (input, inputStride, extent, output) => {
      const tables = [first, pairs, high, low, taps.stride / 2] as const;
      kernels.resizeRows(input, inputStride, inputLength, extent, output, width, ...tables, columns, sums);
    };
  }

  /** For rows of `extent` bytes; undefined when its tables do not fit the memory. */
  private kernelAlongY(taps: Taps): Kernel | undefined {
    const weights = this.takeWeights(taps);
    if (weights === undefined) return undefined;
    const { high, low } = weights;
    return (input, inputStride, extent, output, outStride) => {
      for (let y = 0; y < taps.first.length; y++) {
        const row = input + (taps.first[y]! - taps.first[0]!) * inputStride;
        const from = y * taps.stride * 2;
        const to = output + y * outStride;
        this.kernels.sumRows(row, inputStride, extent, to, high + from, low + from, taps.pairs[y]!);
      }
    };
  }

  private takeWeights(taps: Taps): { high: number; low: number } | undefined {
    const { workspace } = this;
    const high = workspace.take(taps.high.byteLength);
    const low = workspace.take(taps.low.byteLength);
    if (workspace.left < 0) return undefined;
    workspace.int16(high, taps.high.length).set(taps.high);
    workspace.int16(low, taps.low.length).set(taps.low);
    return { high, low };
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
    const { bytes } = this.workspace;
    if (stride === toStride && stride === length) {
      bytes.set(data.subarray(from, from + rows * stride), to);
      return;
    }
    for (let y = 0; y < rows; y++) {
      const start = from + y * stride;
      bytes.set(data.subarray(start, start + length), to + y * toStride);
    }
  }
}

/**
 * Vectors as the rows of a matrix [N, E] in the memory of a WebAssembly module, which multiplies them with a query
 * (assembly/dot.ts). Four values at a time, always summed in the same order: a score depends on the two vectors alone.
 */
import { DOT_WASM } from '../../generated/dot-wasm.js';

interface Kernels {
  scoreAll(vector: number, matrix: number, count: number, E: number, out: number): void;
  scoreRows(vector: number, matrix: number, rows: number, count: number, E: number, out: number): void;
}

const PAGE = 65_536;
/** 4 GiB, all that 32-bit addresses reach. */
const MAX_PAGES = 65_536;
/** By how much a full matrix grows. */
const GROWTH = 1.5;

export class VectorMatrix {
  private readonly memory: WebAssembly.Memory;
  private readonly kernels: Kernels;
  /** Bytes of a row. */
  private readonly stride: number;
  /** Where the rows begin, after the query. */
  private readonly base: number;
  private capacity = 0;

  /** @param E values of a vector */
  constructor(private readonly E: number) {
    this.stride = E * 4;
    this.base = Math.ceil(this.stride / 16) * 16;
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(this.base / PAGE), maximum: MAX_PAGES });
    const module = new WebAssembly.Module(Buffer.from(DOT_WASM, 'base64'));
    this.kernels = new WebAssembly.Instance(module, { env: { memory: this.memory } })
      .exports as unknown as Kernels;
  }

  /** Writes row `row`, making room for it. @throws RangeError beyond 4 GiB, which is some 2 million rows of 512 */
  set(row: number, vector: Float32Array): void {
    if (row >= this.capacity) this.reserve(Math.max(row + 1, Math.ceil(this.capacity * GROWTH), 64));
    this.floats(this.base + row * this.stride, this.E).set(vector);
  }

  /** The row itself, until the matrix grows; not to be written to. */
  get(row: number): Float32Array {
    return this.floats(this.base + row * this.stride, this.E);
  }

  copy(from: number, to: number): void {
    new Uint8Array(this.memory.buffer).copyWithin(
      this.base + to * this.stride,
      this.base + from * this.stride,
      this.base + (from + 1) * this.stride,
    );
  }

  /** Scores of the first `count` rows, until the next call; not to be written to. */
  scoreAll(vector: Float32Array, count: number): Float32Array {
    if (count === 0) return new Float32Array(0);
    this.floats(0, this.E).set(vector);
    const { out } = this.scratch;
    this.kernels.scoreAll(0, this.base, count, this.E, out);
    return this.floats(out, count);
  }

  /** Scores of some rows, in their order, until the next call; not to be written to. At most as many as there are. */
  scoreRows(vector: Float32Array, rows: Uint32Array): Float32Array {
    if (rows.length === 0) return new Float32Array(0);
    this.floats(0, this.E).set(vector);
    const { rows: list, out } = this.scratch;
    new Uint32Array(this.memory.buffer, list, rows.length).set(rows);
    this.kernels.scoreRows(0, this.base, list, rows.length, this.E, out);
    return this.floats(out, rows.length);
  }

  /** Behind the rows: a list of row numbers, and scores. */
  private get scratch(): { rows: number; out: number } {
    const rows = this.base + this.capacity * this.stride;
    return { rows, out: rows + this.capacity * 4 };
  }

  private reserve(rows: number): void {
    const bytes = this.base + rows * (this.stride + 8);
    const pages = Math.ceil(bytes / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (bytes > MAX_PAGES * PAGE) {
      throw new RangeError(`${rows} vectors of ${this.E} values take more than the 4 GiB of one shard`);
    }
    if (pages > 0) this.memory.grow(pages);
    this.capacity = rows;
  }

  private floats(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }
}

/**
 * Vectors with a byte for each value, a quarter of what VectorMatrix reads, for a first look: which rows can be among
 * the nearest to a query. A vector v is kept as v̂ = unit · bytes, with the distance ‖v − v̂‖ beside it, so that
 *
 *   |q·v − q̂·v̂| ≤ ‖q‖·‖v − v̂‖ + ‖q − q̂‖·‖v̂‖   (Cauchy and Schwarz)
 *
 * bounds every score from both sides. What is left out is certainly not among the nearest; the others are compared in
 * float32, so the result is that of comparing all.
 */
import { DOT_WASM } from '../../generated/dot-wasm.js';

interface Kernels {
  boundAll(...numbers: number[]): void;
  boundRows(...numbers: number[]): void;
}

const PAGE = 65_536;
/** What float32 sums of E products may be wrong by, for vectors of length 1. */
const ROUNDING = 1e-4;
const LARGEST_BYTE = 127;
const LARGEST_INT16 = 32_767;

export class ByteMatrix {
  private readonly memory: WebAssembly.Memory;
  private readonly kernels: Kernels;
  /** E, rounded up so that all of a row is in full registers. */
  private readonly padded: number;
  /** Bytes of a row: the values, their unit, the distance from the vector, the length. */
  private readonly stride: number;
  /** Where the rows begin, after the query. */
  private readonly base: number;
  /** Largest integer of a query: the sum of E products must fit into 32 bits. */
  private readonly largest: number;
  /** Rows that have been written. */
  private count = 0;

  /** @param E values of a vector */
  constructor(private readonly E: number) {
    this.padded = Math.ceil(E / 16) * 16;
    this.stride = this.padded + 16;
    this.base = this.padded * 2;
    this.largest = Math.min(LARGEST_INT16, Math.floor(0x7fff_ffff / (LARGEST_BYTE * this.padded)));
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(this.base / PAGE), maximum: PAGE });
    const module = new WebAssembly.Module(Buffer.from(DOT_WASM, 'base64'));
    this.kernels = new WebAssembly.Instance(module, { env: { memory: this.memory } })
      .exports as unknown as Kernels;
  }

  /** Writes row `row`. */
  set(row: number, vector: Float32Array): void {
    this.count = Math.max(this.count, row + 1);
    const at = this.base + row * this.stride;
    this.reserve(at + this.stride);
    const bytes = new Int8Array(this.memory.buffer, at, this.padded);
    const { unit, error, length } = quantise(vector, bytes, LARGEST_BYTE);
    new Float32Array(this.memory.buffer, at + this.padded, 3).set([unit, error, length]);
  }

  copy(from: number, to: number): void {
    const [start, target] = [from, to].map((row) => this.base + row * this.stride) as [number, number];
    new Uint8Array(this.memory.buffer).copyWithin(target, start, start + this.stride);
  }

  /**
   * Which of the first `count` rows, or of some, can be among the `limit` nearest to a query.
   * @returns row numbers, in the order in which the rows came
   */
  nearest(vector: Float32Array, limit: number, rowsOrCount: Uint32Array | number): Uint32Array {
    const rows = typeof rowsOrCount === 'number' ? undefined : rowsOrCount;
    const count = rows?.length ?? (rowsOrCount as number);
    // Behind the rows: a list of row numbers, lower and upper bounds.
    const list = this.base + this.count * this.stride;
    const [lower, upper] = [list + count * 4, list + count * 8];
    this.reserve(list + count * 12);
    const query = new Int16Array(this.memory.buffer, 0, this.padded);
    const { unit, error, length } = quantise(vector, query, this.largest);
    const whole = length + error;
    const deviation = error + ROUNDING * whole;
    if (rows === undefined) {
      this.kernels.boundAll(
        ...[0, unit, whole, deviation, this.base, this.stride, count, this.padded, lower, upper],
      );
    } else {
      new Uint32Array(this.memory.buffer, list, count).set(rows);
      this.kernels.boundRows(
        ...[0, unit, whole, deviation, this.base, this.stride, list, count, this.padded, lower, upper],
      );
    }
    const least = nthLargest(new Float32Array(this.memory.buffer, lower, count), limit);
    const bounds = new Float32Array(this.memory.buffer, upper, count);
    const found = new Uint32Array(count);
    let kept = 0;
    for (let n = 0; n < count; n++)
      if (bounds[n]! >= least) found[kept++] = rows === undefined ? n : rows[n]!;
    return found.subarray(0, kept);
  }

  private reserve(bytes: number): void {
    const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / PAGE);
    // In large steps: each one may move all of the memory.
    if (missing > 0) this.memory.grow(Math.max(missing, Math.ceil(this.memory.buffer.byteLength / PAGE / 2)));
  }
}

/**
 * Integers whose multiple by `unit` is nearest to the vector.
 * @returns also the distance of that multiple from the vector, and its length
 */
function quantise(
  vector: Float32Array,
  out: Int8Array | Int16Array,
  largest: number,
): { unit: number; error: number; length: number } {
  let peak = 0;
  for (const value of vector) {
    const size = Math.abs(value);
    if (size > peak) peak = size;
  }
  const unit = peak / largest;
  const scale = peak === 0 ? 0 : largest / peak;
  let [errors, squares] = [0, 0];
  for (let e = 0; e < vector.length; e++) {
    const value = vector[e]!;
    // Rounds as Math.round does but for halves, in a fifth of its time.
    const whole = (value * scale + (value < 0 ? -0.5 : 0.5)) | 0;
    const rest = value - whole * unit;
    out[e] = whole;
    errors += rest * rest;
    squares += whole * whole;
  }
  return { unit, error: Math.sqrt(errors), length: unit * Math.sqrt(squares) };
}

/** The n-th largest value; −∞ when there are no n. */
function nthLargest(values: Float32Array, n: number): number {
  const largest: number[] = [];
  let least = -Infinity;
  for (const value of values) {
    if (largest.length === n && value <= least) continue;
    let place = largest.length;
    while (place > 0 && largest[place - 1]! < value) place--;
    largest.splice(place, 0, value);
    if (largest.length > n) largest.pop();
    least = largest.at(-1)!;
  }
  return largest.length < n ? -Infinity : least;
}

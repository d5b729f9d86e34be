/**
 * Images in memory that several threads share: originals for views, resized ones for the rest. Room is handed out from
 * one end and never given back; what does not fit any more is decoded each time it is shown.
 *
 * The memory comes in chunks, of which the main thread adds one whenever the last is half full, so that any limit works
 * and none is taken from the system before images fill it. A thread that has not heard of a chunk takes what lies there
 * as absent.
 */
import type { RgbImage } from '@clip-ts/clip/preprocess';

/** Room is counted in units of 64 bytes, so that 32-bit counters reach beyond any memory. */
const UNIT = 64;
/** One buffer; an image never lies across two. */
const CHUNK_BYTES = 256 * 1024 * 1024;
const CHUNK_UNITS = CHUNK_BYTES / UNIT;
/** Numbers kept of an image: its first unit + 1 (0: absent), width, height. */
const FIELDS = 3;

/** What threads need to use the same cache; passed between them by structured clone, which copies none of it. */
export interface SharedImages {
  chunks: SharedArrayBuffer[];
  /** Int32: the next free unit. */
  next: SharedArrayBuffer;
  /** Int32 [slots, FIELDS] */
  table: SharedArrayBuffer;
}

/** A cache for `slots` images; it has no room until {@link addRoom} gives it some. */
export const shareImages = (slots: number): SharedImages => ({
  chunks: [],
  next: new SharedArrayBuffer(4),
  table: new SharedArrayBuffer(slots * FIELDS * 4),
});

/** Adds a chunk when the last one is half full and the limit on all of them allows it. For the main thread. */
export function addRoom({ chunks, next }: SharedImages, limit: number): void {
  const used = Atomics.load(new Int32Array(next), 0);
  if (used < (chunks.length - 0.5) * CHUNK_UNITS) return;
  const size = Math.min(CHUNK_BYTES, Math.floor((limit - chunks.length * CHUNK_BYTES) / UNIT) * UNIT);
  // A part of a chunk ends the memory: chunks after it would not lie where their number says.
  const whole = chunks.every(({ byteLength }) => byteLength === CHUNK_BYTES);
  if (size > 0 && whole) chunks.push(new SharedArrayBuffer(size));
}

/** A thread's hold on the cache. */
export class ImageCache {
  private readonly next: Int32Array;
  private readonly table: Int32Array;
  /** Those that the thread has heard of. */
  chunks: readonly SharedArrayBuffer[];

  constructor({ chunks, next, table }: SharedImages) {
    this.chunks = chunks;
    this.next = new Int32Array(next);
    this.table = new Int32Array(table);
  }

  /** A view of the image's pixels, not to be written to; undefined when it is not kept. */
  get(slot: number): RgbImage | undefined {
    const first = Atomics.load(this.table, slot * FIELDS) - 1;
    if (first < 0) return undefined;
    const [width, height] = [this.table[slot * FIELDS + 1]!, this.table[slot * FIELDS + 2]!];
    const data = this.room(first, width * height * 3);
    return data && { data, width, height };
  }

  /** Keeps a copy when there is room for it. */
  put(slot: number, { data, width, height }: RgbImage): void {
    const first = this.reserve(Math.ceil(data.length / UNIT));
    if (first === undefined) return;
    this.room(first, data.length)!.set(data);
    this.table[slot * FIELDS + 1] = width;
    this.table[slot * FIELDS + 2] = height;
    // Last, and seen by other threads only after the pixels.
    Atomics.store(this.table, slot * FIELDS, first + 1);
  }

  /** The first of `units` free units in one chunk. */
  private reserve(units: number): number | undefined {
    for (;;) {
      const first = Atomics.load(this.next, 0);
      const start = this.fits(first, units) ? first : (Math.floor(first / CHUNK_UNITS) + 1) * CHUNK_UNITS;
      if (!this.fits(start, units)) return undefined;
      if (Atomics.compareExchange(this.next, 0, first, start + units) === first) return start;
    }
  }

  private fits(first: number, units: number): boolean {
    const chunk = this.chunks[Math.floor(first / CHUNK_UNITS)];
    return chunk !== undefined && (first % CHUNK_UNITS) + units <= chunk.byteLength / UNIT;
  }

  private room(first: number, bytes: number): Uint8Array | undefined {
    const chunk = this.chunks[Math.floor(first / CHUNK_UNITS)];
    return chunk && new Uint8Array(chunk, (first % CHUNK_UNITS) * UNIT, bytes);
  }
}

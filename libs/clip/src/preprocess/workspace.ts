/**
 * The memory that the WebAssembly kernels of one thread share, so that an image goes from one to the next without a
 * copy: scratch memory of a fixed size, handed out piece by piece, and behind it as much as the decoder needs for an
 * image.
 *
 * Nothing is allocated for an image once the memory has its size. That matters more than the copies that are saved:
 * each buffer outside V8's heap counts towards its next garbage collection.
 */

const PAGE = 65536;
/** Of 64 KiB, 8 MiB in all: a photo of 12 megapixels that lies elsewhere goes through in strips of some hundred rows. */
const SCRATCH_PAGES = 128;
const MAX_PAGES = SCRATCH_PAGES + 1024;
/** Address 0 stays unused. */
const BASE = 1024;
const BLOCK = 16;
/** Rows past the end of an image that kernels may read, whose values do not matter. */
export const ROWS_READ = 16;

export const alignUp = (bytes: number): number => Math.ceil(bytes / BLOCK) * BLOCK;

/** Not to be shared between threads. */
export class Workspace {
  /** Where the scratch memory ends, and what the decoder uses begins. */
  readonly scratchEnd = SCRATCH_PAGES * PAGE;
  private readonly memory = new WebAssembly.Memory({ initial: SCRATCH_PAGES, maximum: MAX_PAGES });
  private all = new Uint8Array(this.memory.buffer);
  private next = BASE;

  /** The kernels of a module, working on this memory. @param base64 of the module */
  load<Kernels>(base64: string): Kernels {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const module = new WebAssembly.Module(bytes);
    return new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports as Kernels;
  }

  /** All of the memory. When it grows, earlier views of it become empty. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.all;
  }

  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    return this.all.subarray(offset, offset + length);
  }

  int32(offset: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, offset, length);
  }

  int16(offset: number, length: number): Int16Array {
    return new Int16Array(this.memory.buffer, offset, length);
  }

  float32(offset: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, offset, length);
  }

  /** Where an array begins that lies in this memory; undefined for all others. */
  addressOf(data: Uint8Array): number | undefined {
    return data.buffer === this.memory.buffer ? data.byteOffset : undefined;
  }

  /** Makes the memory reach to `end`. @throws RangeError when that is more than it may have */
  growTo(end: number): void {
    const missing = Math.ceil((end - this.all.length) / PAGE);
    if (missing <= 0) return;
    this.memory.grow(missing);
    this.all = new Uint8Array(this.memory.buffer);
  }

  /** Scratch memory that is free, in bytes; negative when more was taken than there is. */
  get left(): number {
    return this.scratchEnd - this.next;
  }

  /** Takes scratch memory, aligned to 16 bytes. @returns its address */
  take(bytes: number): number {
    const start = this.next;
    this.next += alignUp(bytes);
    return start;
  }

  /** Where the next piece would begin: what {@link free} takes. */
  get mark(): number {
    return this.next;
  }

  /** Gives back all that was taken since a mark, or everything. */
  free(mark = BASE): void {
    this.next = mark;
  }
}

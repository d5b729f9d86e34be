/**
 * Float tensors inside one WebAssembly memory. ONNX Runtime reads and writes them as ordinary arrays (the memory is
 * not shared, so its buffer is an ArrayBuffer), and WebAssembly kernels update them in place.
 */

const PAGE = 65536;
/** 4 GiB of 32-bit addresses. */
const MAX_PAGES = 65536;
/** Cache lines, and more than the 16 bytes that SIMD loads need. */
const ALIGNMENT = 64;

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export class Arena {
  readonly memory: WebAssembly.Memory;
  #used = 0;

  private constructor(pages: number) {
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  }

  /** An arena for tensors of these lengths; undefined when they do not fit the address space or the system's memory. */
  static forLengths(lengths: readonly number[]): Arena | undefined {
    const pages = Math.ceil(lengths.reduce((n, length) => n + aligned(4 * length), 0) / PAGE);
    if (pages > MAX_PAGES) return undefined;
    try {
      return new Arena(Math.max(1, pages));
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Zeros; the space up to the next aligned address belongs to the tensor and is zero too. */
  allocate(length: number): Float32Array {
    const array = new Float32Array(this.memory.buffer, this.#used, length);
    this.#used += aligned(4 * length);
    return array;
  }

  owns(array: ArrayBufferView): boolean {
    return array.buffer === this.memory.buffer;
  }
}

/** Elements a SIMD loop covers: the length rounded up to whole vectors. */
export const paddedLength = (length: number): number => Math.ceil(length / 4) * 4;

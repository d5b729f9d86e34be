/**
 * Pixels → pixel_values, from tables of all values that a channel can take, in WebAssembly (assembly/normalize.ts).
 * H × W pixels of the model's input.
 */
import { NORMALIZE_WASM } from '../generated/normalize-wasm.js';
import type { PreprocessPlan } from './processor-config.js';
import type { Workspace } from './workspace.js';

/** Changes to pixels while they are normalised. */
export interface PixelChange {
  /** [256] What a channel's value becomes: brightness, contrast. */
  tones?: Uint8Array | Uint8ClampedArray;
  /** Flipped left to right. */
  mirrored?: boolean;
}

interface Kernels {
  normalize(
    pixels: number,
    rows: number,
    width: number,
    values: number,
    out: number,
    mirrored: boolean,
  ): void;
}

/** Bytes of pixel_values made at a time, so that they fit a processor's cache. */
const STRIP_BYTES = 128 * 1024;
const TABLE = 3 * 256;

/** Not to be shared between threads. */
export class Normalizer {
  private readonly kernels: Kernels;
  /** Value of pixel `p` of channel `c` at `c · 256 + p`. */
  private readonly values: Float32Array;

  constructor(
    private readonly plan: PreprocessPlan,
    private readonly workspace: Workspace,
  ) {
    this.kernels = workspace.load(NORMALIZE_WASM);
    this.values = pixelTable(plan);
  }

  /** @param pixels [H, W, 3], in the workspace or not @param out gets [3, H, W] from `offset` on */
  normalize(
    pixels: Uint8Array,
    out: Float32Array<ArrayBufferLike>,
    offset: number,
    { tones, mirrored = false }: PixelChange,
  ): void {
    const { workspace } = this;
    const { height, width } = this.plan;
    const plane = height * width;
    const strip = Math.max(1, Math.min(height, Math.floor(STRIP_BYTES / (width * 12))));
    const address = workspace.addressOf(pixels);
    const mark = workspace.mark;
    const table = workspace.take(TABLE * 4);
    const output = workspace.take(strip * width * 12);
    const input = address ?? workspace.take(strip * width * 3);
    const values = workspace.float32(table, TABLE);
    if (tones === undefined) values.set(this.values);
    else for (let i = 0; i < TABLE; i++) values[i] = this.values[(i & ~0xff) + tones[i & 0xff]!]!;
    for (let y = 0; y < height; y += strip) {
      const rows = Math.min(strip, height - y);
      const from = y * width * 3;
      if (address === undefined) workspace.bytes.set(pixels.subarray(from, from + rows * width * 3), input);
      const start = address === undefined ? input : address + from;
      this.kernels.normalize(start, rows, width, table, output, mirrored);
      for (let channel = 0; channel < 3; channel++) {
        const made = workspace.float32(output + channel * rows * width * 4, rows * width);
        out.set(made, offset + channel * plane + y * width);
      }
    }
    workspace.free(mark);
  }
}

/** All values that a channel can take, in the float32 arithmetic of NumPy. */
function pixelTable({ rescaleFactor, normalize }: PreprocessPlan): Float32Array {
  const table = new Float32Array(TABLE);
  for (let channel = 0; channel < 3; channel++) {
    for (let pixel = 0; pixel < 256; pixel++) {
      let value = Math.fround(rescaleFactor === null ? pixel : pixel * rescaleFactor);
      if (normalize !== null) {
        const mean = Math.fround(normalize.mean[channel]!);
        value = Math.fround(Math.fround(value - mean) / Math.fround(normalize.std[channel]!));
      }
      table[channel * 256 + pixel] = value;
    }
  }
  return table;
}

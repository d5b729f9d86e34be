/**
 * Resizes 8-bit RGB pixels exactly as PIL does, whose results transformers' image processors are defined by.
 *
 * Two passes, one along x and one along y. A pixel of the output is a weighted sum of the pixels under the filter, which is
 * stretched by the scale when shrinking (antialiasing). Weights are rounded to 22 fractional bits and each pass
 * rounds and clips to 8 bits; that, and the order of the passes, makes the result reproducible to the last bit.
 *
 * Only a window of the output is computed, so a centre crop costs what it keeps.
 */
import type { ResampleFilter, WeightedFilter } from './filters.js';
import { nearest } from './nearest.js';
import { resizeAlongX, resizeAlongY } from './scalar.js';
import { SimdResizer } from './simd.js';
import { computeTaps, tapStride, type Taps } from './taps.js';
import type { Workspace } from '../workspace.js';
import type { SourceImage, Window } from './window.js';

/** Weights of one table, and of all tables that are kept; 8 bytes each. Photos need some thousands. */
const MAX_TABLE_WEIGHTS = 1 << 20;
const MAX_KEPT_WEIGHTS = 1 << 21;

/** Resizes with tables of weights that are kept for the sizes last seen. Not to be shared between threads. */
export class Resampler {
  private readonly tables = new Map<string, Taps>();
  private keptWeights = 0;
  private readonly simd: SimdResizer;

  /** @param workspace where images may lie; each call uses its scratch memory from the start */
  constructor(
    private readonly filter: ResampleFilter,
    workspace?: Workspace,
  ) {
    this.simd = new SimdResizer(workspace);
  }

  /**
   * The `window` of `image` resized to width × height.
   * @returns pixels [window.height, window.width, 3], which are valid until the next call
   */
  resize(image: SourceImage, width: number, height: number, window: Window): Uint8Array {
    if (this.filter === 'nearest') return nearest(image, width, height, window);
    // An image shrunk by many thousands would need huge tables: its window is then computed in parts.
    if (window.width > 1 && window.width * tapStride(this.filter, image.width, width) > MAX_TABLE_WEIGHTS) {
      const [left, right] = halves(window.left, window.width).map(([start, length]) =>
        this.resize(image, width, height, { ...window, left: start, width: length }).slice(),
      );
      return besides(left!, right!, window.height);
    }
    if (
      window.height > 1 &&
      window.height * tapStride(this.filter, image.height, height) > MAX_TABLE_WEIGHTS
    ) {
      const [upper, lower] = halves(window.top, window.height).map(([start, length]) =>
        this.resize(image, width, height, { ...window, top: start, height: length }).slice(),
      );
      return above(upper!, lower!);
    }
    return this.resizeAtOnce(image, width, height, window, this.filter);
  }

  private resizeAtOnce(
    source: SourceImage,
    width: number,
    height: number,
    window: Window,
    filter: WeightedFilter,
  ): Uint8Array {
    this.simd.free();
    const image = this.simd.held(source);
    const stride = image.stride ?? image.width;
    const columns = this.taps(filter, image.width, width, window.left, window.width);
    const rows = this.taps(filter, image.height, height, window.top, window.height);
    const firstRow = rows.first[0]!;
    if (!rowsFirst(image, width, height)) {
      const part = image.data.subarray(firstRow * stride * 3);
      const narrowed = this.alongX(part, stride, rows.reach, columns, 0);
      return this.alongY(narrowed, window.width, 0, window.width, rows, firstRow);
    }
    const firstColumn = columns.first[0]!;
    const shortened = this.alongY(image.data, stride, firstColumn, columns.reach, rows, 0);
    return this.alongX(shortened, columns.reach, window.height, columns, firstColumn);
  }

  private alongX(...pass: Parameters<typeof resizeAlongX>): Uint8Array {
    return this.simd.alongX(...pass) ?? resizeAlongX(...pass);
  }

  private alongY(...pass: Parameters<typeof resizeAlongY>): Uint8Array {
    return this.simd.alongY(...pass) ?? resizeAlongY(...pass);
  }

  private taps(...question: Parameters<typeof computeTaps>): Taps {
    const key = question.join(' ');
    const known = this.tables.get(key);
    if (known !== undefined) return known;
    const taps = computeTaps(...question);
    this.tables.set(key, taps);
    this.keptWeights += taps.weights.length;
    for (const [oldest, { weights }] of this.tables) {
      if (this.keptWeights <= MAX_KEPT_WEIGHTS) break;
      this.tables.delete(oldest);
      this.keptWeights -= weights.length;
    }
    return taps;
  }
}

/** Start and length of each half of a range. */
function halves(start: number, length: number): [number, number][] {
  const half = length >> 1;
  return [
    [start, half],
    [start + half, length - half],
  ];
}

/** Two images of one width, the first above the second. */
function above(upper: Uint8Array, lower: Uint8Array): Uint8Array {
  const out = new Uint8Array(upper.length + lower.length);
  out.set(upper);
  out.set(lower, upper.length);
  return out;
}

/** Two images of one height side by side. */
function besides(left: Uint8Array, right: Uint8Array, height: number): Uint8Array {
  const [leftRow, rightRow] = [left.length / height, right.length / height];
  const out = new Uint8Array(left.length + right.length);
  for (let y = 0; y < height; y++) {
    const to = y * (leftRow + rightRow);
    out.set(left.subarray(y * leftRow, (y + 1) * leftRow), to);
    out.set(right.subarray(y * rightRow, (y + 1) * rightRow), to + leftRow);
  }
  return out;
}

/**
 * Whether PIL takes the rows first, found by comparing the results of Pillow 13 for random sizes with those of its two
 * passes done one by one. Older releases always take the columns first; the results differ by up to 2/255.
 */
function rowsFirst(image: SourceImage, width: number, height: number): boolean {
  return height < image.height && image.height - height > 2 * (image.width - width);
}

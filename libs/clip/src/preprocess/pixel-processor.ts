/**
 * Decoded pixels → pixel_values, as a checkpoint's preprocessor_config.json asks and as transformers computes them: the same
 * in Node.js and in a browser.
 *
 * The result of resizing and cropping equals that of the Python image processors (PIL) bit for bit, and
 * pixel_values to the last bit of float32.
 *
 * Shape letters: H height, W width of the model's input.
 */
import { Normalizer, type PixelChange } from './normalizer.js';
import { parsePreprocessorConfig, type PreprocessPlan } from './processor-config.js';
import { Resampler } from './resample/resampler.js';
import type { Window } from './resample/window.js';
import type { RgbImage } from './rgb-image.js';
import { Workspace } from './workspace.js';

/** Turns pixels into the input of a vision tower. Not to be shared between threads. */
export class PixelProcessor {
  /** The steps that this processor takes. */
  readonly plan: Readonly<PreprocessPlan>;
  readonly height: number;
  readonly width: number;

  private readonly resampler: Resampler;
  private readonly normalizer: Normalizer;

  /**
   * @param config the content of preprocessor_config.json
   * @param workspace where images may lie
   * @throws ClipError CONFIG_INVALID
   */
  constructor(config: unknown, workspace = new Workspace()) {
    this.plan = parsePreprocessorConfig(config);
    this.height = this.plan.height;
    this.width = this.plan.width;
    this.resampler = new Resampler(this.plan.filter, workspace);
    this.normalizer = new Normalizer(this.plan, workspace);
  }

  /** Resizes and crops decoded pixels. @returns pixels [H, W, 3], which are valid until the next call */
  resize(image: RgbImage): Uint8Array {
    const { width, height } = this.resizedSize(image);
    const { cropRounding } = this.plan;
    const columns = cropRange(width, this.width, cropRounding);
    const rows = cropRange(height, this.height, cropRounding);
    const window = { left: columns.start, top: rows.start, width: columns.length, height: rows.length };
    const pixels = this.resampler.resize(image, width, height, window);
    if (columns.length === this.width && rows.length === this.height) return pixels;
    const out = new Uint8Array(this.height * this.width * 3);
    for (let y = 0; y < rows.length; y++) {
      const row = pixels.subarray(y * columns.length * 3, (y + 1) * columns.length * 3);
      out.set(row, ((rows.padding + y) * this.width + columns.padding) * 3);
    }
    return out;
  }

  /**
   * A part of the image stretched to H × W, as PIL's `image.crop(box).resize((W, H))`: for the random crops of training.
   * @param box inside the image, in whole pixels
   * @returns pixels [H, W, 3], which are valid until the next call
   */
  resizeBox(image: RgbImage, box: Window): Uint8Array {
    const { height, width } = this;
    const part = {
      data: image.data.subarray((box.top * image.width + box.left) * 3),
      width: box.width,
      height: box.height,
      stride: image.width,
    };
    return this.resampler.resize(part, width, height, { left: 0, top: 0, width, height });
  }

  /**
   * Rescales and normalises.
   * @param pixels [H, W, 3]
   * @param out gets [3, H, W] from `offset` on; a new array when not given
   * @param change made to the pixels on the way
   */
  normalize(pixels: Uint8Array): Float32Array<ArrayBuffer>;
  normalize<B extends ArrayBufferLike>(
    pixels: Uint8Array,
    out: Float32Array<B>,
    offset?: number,
    change?: PixelChange,
  ): Float32Array<B>;
  normalize(
    pixels: Uint8Array,
    out: Float32Array = new Float32Array(pixels.length),
    offset = 0,
    change: PixelChange = {},
  ): Float32Array {
    const { height, width } = this;
    const plane = height * width;
    if (pixels.length !== plane * 3) {
      throw new RangeError(
        `pixels of ${height} × ${width} × 3 = ${plane * 3} bytes expected, found ${pixels.length}`,
      );
    }
    this.normalizer.normalize(pixels, out, offset, change);
    return out;
  }

  private resizedSize({ width, height }: RgbImage): { width: number; height: number } {
    const { resize } = this.plan;
    if (resize === null) return { width, height };
    if ('height' in resize) return resize;
    const edge = resize.shortestEdge;
    return width <= height
      ? { width: edge, height: Math.trunc((edge * height) / width) }
      : { width: Math.trunc((edge * width) / height), height: edge };
  }
}

/** The part of `size` pixels that a centre crop of `target` keeps, and the padding before it. */
function cropRange(
  size: number,
  target: number,
  rounding: PreprocessPlan['cropRounding'],
): { start: number; length: number; padding: number } {
  if (size < target) return { start: 0, length: size, padding: Math.ceil((target - size) / 2) };
  let start = Math.floor((size - target) / 2);
  if (rounding === 'even' && (size - target) % 2 === 1) start += start % 2;
  return { start, length: target, padding: 0 };
}

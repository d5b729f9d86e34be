/**
 * Images → pixel_values, as a checkpoint's preprocessor_config.json asks and as transformers computes them.
 *
 * The result of resizing and cropping equals that of the Python image processors (PIL) bit for bit, and
 * pixel_values to the last bit of float32.
 *
 * Shape letters: H height, W width of the model's input.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROCESSOR_CONFIG_FILE, processorFile } from '../checkpoint/files.js';
import { ClipError, isSystemError } from '../errors.js';
import { parsePreprocessorConfig, type PreprocessPlan } from './processor-config.js';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type ImageSource, useDecoded } from './decode.js';
import { JpegDecoder } from './jpeg/decoder.js';
import { Normalizer, type PixelChange } from './normalizer.js';
import type { RgbImage } from './rgb-image.js';
import { Resampler } from './resample/resampler.js';
import type { Window } from './resample/window.js';
import { Workspace } from './workspace.js';

/** Turns images into the input of a vision tower. */
export class ImageProcessor {
  /** The steps that this processor takes. */
  readonly plan: Readonly<PreprocessPlan>;
  readonly height: number;
  readonly width: number;

  private readonly resampler: Resampler;
  private readonly normalizer: Normalizer;
  private readonly jpeg: JpegDecoder;
  private readonly limits: Readonly<ImageLimits>;

  /**
   * @param config the content of preprocessor_config.json
   * @throws ClipError CONFIG_INVALID
   */
  constructor(config: unknown, limits: Partial<ImageLimits> = {}) {
    this.plan = parsePreprocessorConfig(config);
    this.height = this.plan.height;
    this.width = this.plan.width;
    this.limits = { ...DEFAULT_IMAGE_LIMITS, ...limits };
    const workspace = new Workspace();
    this.jpeg = new JpegDecoder(workspace);
    this.resampler = new Resampler(this.plan.filter, workspace);
    this.normalizer = new Normalizer(this.plan, workspace);
  }

  /**
   * Reads preprocessor_config.json of a folder, or `image_processor` of processor_config.json, as transformers 5 writes it.
   * @throws ClipError CHECKPOINT_NOT_FOUND, CONFIG_INVALID
   */
  static async load(folder: string, limits?: Partial<ImageLimits>): Promise<ImageProcessor> {
    const names = await readdir(folder).catch((): string[] => []);
    const name = processorFile(names);
    const path = join(folder, name);
    let config: unknown;
    try {
      config = JSON.parse(await readFile(path, 'utf8'));
    } catch (cause) {
      if (isSystemError(cause, 'ENOENT'))
        throw new ClipError('CHECKPOINT_NOT_FOUND', `no ${path}`, { cause });
      throw new ClipError('CONFIG_INVALID', `${path} is not valid JSON`, { cause });
    }
    if (name === PROCESSOR_CONFIG_FILE) config = imageProcessorOf(config, path);
    return new ImageProcessor(config, limits);
  }

  /**
   * Decodes, resizes, crops, rescales and normalises.
   * @returns pixel_values [3, H, W]
   * @throws ClipError IMAGE_TOO_LARGE, IMAGE_FORMAT_UNSUPPORTED, IMAGE_UNREADABLE
   */
  async pixelValues(image: ImageSource): Promise<Float32Array> {
    return this.normalize(await this.resizedPixels(image));
  }

  /**
   * Decodes, resizes and crops: what a cache can keep, at a quarter of the size of pixel_values.
   * @returns pixels [H, W, 3]
   * @throws ClipError as {@link pixelValues}
   */
  async resizedPixels(image: ImageSource): Promise<Uint8Array> {
    return this.withDecoded(image, (decoded) => this.resize(decoded).slice());
  }

  /**
   * Decodes an image file; plain JPEG files on the calling thread.
   * @param use gets pixels that are valid only until it returns
   * @throws ClipError as {@link pixelValues}
   */
  withDecoded<T>(image: ImageSource, use: (decoded: RgbImage) => T): Promise<T> {
    return useDecoded(image, this.limits, this.jpeg, use);
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

function imageProcessorOf(config: unknown, path: string): unknown {
  const part: unknown =
    typeof config === 'object' && config !== null && 'image_processor' in config
      ? config.image_processor
      : undefined;
  if (typeof part === 'object' && part !== null) return part;
  throw new ClipError('CONFIG_INVALID', `${path} does not say how images are prepared`, {
    expected: 'an object image_processor, or the file preprocessor_config.json',
    found: part === undefined ? 'neither' : JSON.stringify(part),
  });
}

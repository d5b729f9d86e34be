/**
 * Image files → pixel_values, as a checkpoint's preprocessor_config.json asks: decoding, and what {@link PixelProcessor} makes
 * of the pixels.
 *
 * Shape letters: H height, W width of the model's input.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROCESSOR_CONFIG_FILE, processorFile } from '../checkpoint/files.js';
import { ClipError, isSystemError } from '../errors.js';
import { DEFAULT_IMAGE_LIMITS, type ImageLimits, type ImageSource, useDecoded } from './decode.js';
import { JpegDecoder } from './jpeg/decoder.js';
import { PixelProcessor } from './pixel-processor.js';
import { imageProcessorConfig } from './processor-config.js';
import type { RgbImage } from './rgb-image.js';
import { Workspace } from './workspace.js';

/** Turns image files into the input of a vision tower. */
export class ImageProcessor extends PixelProcessor {
  private readonly jpeg: JpegDecoder;
  private readonly workspace: Workspace;
  private readonly limits: Readonly<ImageLimits>;
  private collectable = 0;

  /**
   * @param config the content of preprocessor_config.json
   * @throws ClipError CONFIG_INVALID
   */
  constructor(config: unknown, limits: Partial<ImageLimits> = {}) {
    const workspace = new Workspace();
    super(config, workspace);
    this.workspace = workspace;
    this.jpeg = new JpegDecoder(workspace);
    this.limits = { ...DEFAULT_IMAGE_LIMITS, ...limits };
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
    if (name === PROCESSOR_CONFIG_FILE) config = imageProcessorConfig(config, path);
    return new ImageProcessor(config, limits);
  }

  /**
   * Pixels decoded so far into memory that a collection of garbage gives back, and V8 does not know of: those of all files
   * but plain JPEG.
   */
  get collectablePixels(): number {
    return this.collectable;
  }

  /**
   * Decodes, resizes, crops, rescales and normalises.
   * @param out gets [3, H, W] from `offset` on; a new array when not given
   * @returns pixel_values [3, H, W]
   * @throws ClipError IMAGE_TOO_LARGE, IMAGE_FORMAT_UNSUPPORTED, IMAGE_UNREADABLE
   */
  async pixelValues(
    image: ImageSource,
    out = new Float32Array(3 * this.height * this.width),
    offset = 0,
  ): Promise<Float32Array> {
    return this.withDecoded(image, (decoded) => this.normalize(this.resize(decoded), out, offset));
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
    return useDecoded(image, this.limits, this.jpeg, (decoded) => {
      if (this.workspace.addressOf(decoded.data) === undefined) {
        this.collectable += decoded.width * decoded.height;
      }
      return use(decoded);
    });
  }
}

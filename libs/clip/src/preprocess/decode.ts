/**
 * Image files → RGB pixels, safely: an allow-list of formats recognised by their magic bytes, limits on bytes
 * and pixels before anything is decoded, and an error for a truncated file.
 *
 * Decoding is sharp's (libvips), or for plain JPEG files our own (./jpeg) where the caller's thread has nothing else to do; the pixels equal those of `PIL.Image.open(…).convert("RGB")` bit for bit for
 * 8-bit JPEG (CMYK too), PNG, WebP and GIF: colour profiles are ignored, alpha is dropped and not blended,
 * palettes are expanded, an animation gives its first frame. 16-bit PNGs keep their high byte. The orientation
 * that EXIF states is applied, as transformers' `load_image` does.
 *
 * Shape letters: H height, W width.
 */
import { readFile, stat } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { ClipError } from '../errors.js';
import { IMAGE_FORMATS, imageFormat, type ImageFormat } from './image-format.js';
import type { JpegDecoder } from './jpeg/decoder.js';
import type { RgbImage } from './rgb-image.js';

/**
 * Decoded images are used once, and what libvips keeps of them takes much memory: of a GIF all frames. The cache is one
 * for the process, and each thread that loads sharp turns it on again.
 */
sharp.cache(false);

/** Limits on an image. */
export interface ImageLimits {
  /** Bytes of the file. */
  maxBytes: number;
  /** Width × height. */
  maxPixels: number;
  /** Formats that are decoded; default IMAGE_FORMATS; of a TIFF, the first page. */
  formats?: readonly ImageFormat[];
}

export const DEFAULT_IMAGE_LIMITS: Readonly<ImageLimits> = { maxBytes: 32 << 20, maxPixels: 50_000_000 };

/** The bytes of an image file, or its path. */
export type ImageSource = Uint8Array | string;

/** A decode that takes longer than this is abandoned, in seconds. */
const DECODE_TIMEOUT = 30;

/**
 * Decodes an image file to RGB, in a thread of libvips.
 * @throws ClipError IMAGE_TOO_LARGE, IMAGE_FORMAT_UNSUPPORTED or IMAGE_UNREADABLE
 */
export async function decodeImage(
  source: ImageSource,
  limits: ImageLimits = DEFAULT_IMAGE_LIMITS,
): Promise<RgbImage> {
  return decodeBytes(await readImageBytes(source, limits), nameInMessage(source), limits);
}

/**
 * The same for a thread that has nothing else to do: plain JPEG files are decoded right there, in less time.
 * @param use gets pixels that are valid only until it returns
 */
export async function useDecoded<T>(
  source: ImageSource,
  limits: ImageLimits,
  jpeg: JpegDecoder,
  use: (image: RgbImage) => T,
): Promise<T> {
  const bytes = await readImageBytes(source, limits);
  return use(
    jpeg.decode(bytes, limits.maxPixels) ?? (await decodeBytes(bytes, nameInMessage(source), limits)),
  );
}

async function decodeBytes(bytes: Uint8Array, name: string, limits: ImageLimits): Promise<RgbImage> {
  const format = imageFormat(bytes);
  const formats: readonly ImageFormat[] = limits.formats ?? IMAGE_FORMATS;
  if (format === undefined || !formats.includes(format)) {
    throw new ClipError('IMAGE_FORMAT_UNSUPPORTED', `the image${name} is in a format that is not supported`, {
      expected: formats.join(', '),
      found: bytes.byteLength === 0 ? 'no bytes' : `bytes that begin ${hex(bytes.subarray(0, 8))}`,
    });
  }
  try {
    const image = sharp(bytes, {
      failOn: 'error',
      ignoreIcc: true,
      autoOrient: true,
      limitInputPixels: limits.maxPixels,
    }).timeout({ seconds: DECODE_TIMEOUT });
    const { width, height, space } = await sharp(bytes, { limitInputPixels: false }).metadata();
    if (width * height > limits.maxPixels) {
      throw new ClipError('IMAGE_TOO_LARGE', `the image${name} has too many pixels`, {
        expected: `at most ${limits.maxPixels}`,
        found: `${width} × ${height}`,
      });
    }
    return space === 'cmyk' ? await cmykPixels(image) : await rgbPixels(image);
  } catch (error) {
    if (error instanceof ClipError) throw error;
    throw new ClipError('IMAGE_UNREADABLE', `the ${format} image${name} is damaged or incomplete`, {
      found: oneLine(error),
      cause: error,
    });
  }
}

/** The path of an image that has one. */
const nameInMessage = (source: ImageSource): string => (typeof source === 'string' ? ` ${source}` : '');

async function readImageBytes(source: ImageSource, { maxBytes }: ImageLimits): Promise<Uint8Array> {
  let size: number;
  let bytes: Uint8Array | undefined;
  if (typeof source === 'string') {
    const status = await stat(source).catch((cause: unknown) => unreadableFile(source, cause));
    if (!status.isFile()) unreadableFile(source, 'not a regular file');
    size = status.size;
  } else {
    bytes = source;
    size = source.byteLength;
  }
  if (size > maxBytes) {
    throw new ClipError('IMAGE_TOO_LARGE', `the image file${nameInMessage(source)} has too many bytes`, {
      expected: `at most ${maxBytes}`,
      found: `${size}`,
    });
  }
  return (
    bytes ??
    (await readFile(source as string).catch((cause: unknown) => unreadableFile(source as string, cause)))
  );
}

function unreadableFile(path: string, cause: unknown): never {
  throw new ClipError('IMAGE_UNREADABLE', `the image file ${path} cannot be read`, {
    found: oneLine(cause),
    cause,
  });
}

async function rgbPixels(image: Sharp): Promise<RgbImage> {
  const { data, info } = await image
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels`);
  return { data, width: info.width, height: info.height };
}

/** CMYK to RGB without a colour profile, in PIL's fixed-point arithmetic. */
async function cmykPixels(image: Sharp): Promise<RgbImage> {
  const { data, info } = await image
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 4) throw new Error(`decoded to ${info.channels} channels`);
  // In place: what is written lies behind what is read.
  const rgb = data.subarray(0, info.width * info.height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const light = 255 - data[from + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      const product = data[from + channel]! * light + 128;
      rgb[to + channel] = Math.max(0, light - (((product >> 8) + product) >> 8));
    }
  }
  return { data: rgb, width: info.width, height: info.height };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim().slice(0, 160);
}

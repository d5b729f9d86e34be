/**
 * What an uploaded file is, judged by its magic bytes and its header, never by its name or claimed type.
 * Nothing is decoded here beyond the header: the limits hold before memory for pixels is taken.
 */
import { IMAGE_FORMATS, OPTIONAL_IMAGE_FORMATS, imageFormat, plainJpegHeader } from '@clip-ts/clip';
import type { ImageFormat } from '@clip-ts/clip';
import sharp from 'sharp';
import { Problem } from '../problems/problem.js';
import { takenOf } from './exif-date.js';
import type { Taken } from './exif-date.js';
import { hasTangledExif } from './exif-links.js';
import { UnsupportedAvif, largestAvifFrame } from './avif.js';
import { decodeMemory } from './decode-memory.js';
import { UnsupportedTiff, heldByTiff } from './tiff-page.js';
import type { Header } from './decode-memory.js';

/**
 * Header facts of an accepted image; width and height in pixels, as displayed (EXIF orientation applied);
 * memory in bytes, which decoding takes.
 */
export interface ImageFacts {
  mediaType: string;
  width: number;
  height: number;
  memory: number;
  /** Null where the file does not say. */
  taken: Taken | null;
}

/** What is accepted. */
export interface ImageLimits {
  MAX_IMAGE_BYTES: number;
  MAX_IMAGE_PIXELS: number;
  MAX_DECODE_BYTES: number;
  IMAGE_FORMATS: readonly ImageFormat[];
}

const ascii = (bytes: Buffer, start: number, end: number) => bytes.toString('latin1', start, end);

/** Formats that are recognised in order to say that they are not accepted. */
const REFUSED: readonly { name: string; matches: (bytes: Buffer) => boolean }[] = [
  {
    name: 'SVG or XML',
    matches: (bytes) => /^(\uFEFF)?\s*<(\?xml|svg|!doctype)/i.test(bytes.toString('utf8', 0, 256)),
  },
  { name: 'PDF', matches: (bytes) => ascii(bytes, 0, 5) === '%PDF-' },
  { name: 'BigTIFF', matches: (bytes) => ['II+\0', 'MM\0+'].includes(ascii(bytes, 0, 4)) },
  { name: 'BMP', matches: (bytes) => ascii(bytes, 0, 2) === 'BM' && bytes.length > 26 },
  {
    name:
      'HEIC, whose decoder (HEVC) this service does not have. Save it as JPEG; an iPhone takes JPEG by itself with ' +
      'Settings, Camera, Formats, Most Compatible',
    matches: (bytes) => /^ftyp(hei[cxms]|hev[cxms]|mif1|msf1)/.test(ascii(bytes, 4, 12)),
  },
  { name: 'an AVIF sequence or a video', matches: (bytes) => ascii(bytes, 4, 8) === 'ftyp' },
];

/** Media types that a service can accept. */
export const IMAGE_MEDIA_TYPES = [...IMAGE_FORMATS, ...OPTIONAL_IMAGE_FORMATS].map(
  (format) => `image/${format}`,
);

/** Extension of stored files of an accepted media type. */
export function extensionOf(mediaType: string): string {
  if (!IMAGE_MEDIA_TYPES.includes(mediaType)) throw new Error(`not an accepted media type: ${mediaType}`);
  return mediaType.replace('image/', '').replace('jpeg', 'jpg');
}

/**
 * Reads the header of an image file.
 * Throws image_too_large, too_many_pixels, too_costly_to_decode, unsupported_image_format or undecodable_image.
 */
export async function inspectImage(bytes: Buffer, limits: ImageLimits): Promise<ImageFacts> {
  if (bytes.length > limits.MAX_IMAGE_BYTES) {
    throw new Problem(
      'image_too_large',
      `The image has ${bytes.length} bytes; at most ${limits.MAX_IMAGE_BYTES} are accepted.`,
    );
  }
  const mediaType = `image/${acceptedFormat(bytes, limits.IMAGE_FORMATS)}`;
  if (hasTangledExif(bytes)) {
    throw new Problem(
      'undecodable_image',
      'The links in the Exif of the image form a circle, or it holds far more than a camera writes. Send it without Exif.',
    );
  }
  // Before libheif or libtiff reads any of the file.
  if (['image/avif', 'image/tiff'].includes(mediaType)) checkStructure(bytes, mediaType);
  const header = await readHeader(bytes);
  const { width, height } = header.shown;
  if (width * height > limits.MAX_IMAGE_PIXELS) {
    throw new Problem(
      'too_many_pixels',
      `The image has ${width} × ${height} pixels; at most ${limits.MAX_IMAGE_PIXELS} in all are accepted.`,
    );
  }
  const memory = decodeMemory(bytes, header);
  if (memory > limits.MAX_DECODE_BYTES) {
    throw new Problem(
      'too_costly_to_decode',
      `Decoding the image, ${width} × ${height} pixels as ${nameOf(header)}, takes ${memory} bytes of memory; at most ` +
        `${limits.MAX_DECODE_BYTES} are allowed. Send it smaller, or saved as a JPEG that is not progressive.`,
    );
  }
  return { mediaType, width, height, memory, taken: takenOf(header.exif ?? bytes) };
}

/** Throws unsupported_image_format or undecodable_image for what is not one plain AVIF image, or a plain TIFF. */
function checkStructure(bytes: Buffer, mediaType: string): void {
  try {
    if (mediaType === 'image/avif') largestAvifFrame(bytes);
    else heldByTiff(bytes);
  } catch (error) {
    if (error instanceof RangeError)
      throw new Problem('undecodable_image', 'The image is cut off.', { cause: error });
    if (!(error instanceof UnsupportedAvif || error instanceof UnsupportedTiff)) throw error;
    throw new Problem(
      'unsupported_image_format',
      `The ${mediaType === 'image/avif' ? 'AVIF' : 'TIFF'} file ${error.message}. Save it as PNG or JPEG.`,
    );
  }
}

/** What of the format makes decoding costly. */
function nameOf({ format, isProgressive, space, depth, orientation = 1 }: ImageHeader): string {
  return [
    orientation > 1 && 'turned',
    isProgressive && (format === 'png' ? 'interlaced' : 'progressive'),
    space === 'cmyk' && 'CMYK',
    depth === 'ushort' && '16-bit',
    format === 'heif' ? 'AVIF' : format.toUpperCase(),
  ]
    .filter((word) => word !== false)
    .join(' ');
}

/** Memory for decoding a stored file, which was accepted once; without bound when its header cannot be read. */
export async function memoryOfStored(bytes: Buffer): Promise<number> {
  return readHeader(bytes)
    .then((header) => decodeMemory(bytes, header))
    .catch(() => Infinity);
}

/** When a stored file was taken, which was accepted once; null also where its header cannot be read, or its links form a circle. */
export async function takenOfStored(bytes: Buffer): Promise<Taken | null> {
  if (hasTangledExif(bytes)) return null;
  return readHeader(bytes).then(
    ({ exif }) => takenOf(exif ?? bytes),
    () => null,
  );
}

function acceptedFormat(bytes: Buffer, formats: readonly ImageFormat[]): ImageFormat {
  const format = imageFormat(bytes);
  if (format !== undefined && formats.includes(format)) return format;
  const refused = REFUSED.find(({ matches }) => matches(bytes));
  const accepted = `Accepted are ${formats.map((one) => `image/${one}`).join(', ')} (setting IMAGE_FORMATS).`;
  if (format !== undefined)
    throw new Problem('unsupported_image_format', `The file is ${format.toUpperCase()}. ${accepted}`);
  if (refused !== undefined) {
    throw new Problem('unsupported_image_format', `The file is ${refused.name}. ${accepted}`);
  }
  const what = bytes.length === 0 ? 'The file is empty.' : 'The file is not an image.';
  throw new Problem('undecodable_image', `${what} ${accepted}`);
}

interface ImageHeader extends Header {
  space: string;
  exif?: Buffer | undefined;
  /** The size with the EXIF orientation applied. */
  shown: { width: number; height: number };
}

/** Most photos are plain JPEG, whose markers cost far less to read than a task of libvips. */
async function readHeader(bytes: Buffer): Promise<ImageHeader> {
  const plain = plainJpegHeader(bytes);
  if (plain !== undefined) {
    const { width, height, channels } = plain;
    const space = channels === 1 ? 'b-w' : 'srgb';
    const shown = { width, height };
    const exif = plain.exif && Buffer.from(plain.exif);
    return { format: 'jpeg', ...plain, depth: 'uchar', isProgressive: false, space, exif, shown };
  }
  try {
    const header = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { ...header, shown: header.autoOrient };
  } catch (error) {
    throw new Problem('undecodable_image', 'The header of the image is damaged.', { cause: error });
  }
}

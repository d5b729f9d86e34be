/**
 * What an uploaded file is, judged by its first bytes and its header, never by its name or claimed type.
 * Nothing is decoded here beyond the header: the pixel limit holds before memory for pixels is taken.
 */
import { IMAGE_FORMATS, imageFormat } from '@clip-ts/clip';
import type { ImageFormat } from '@clip-ts/clip';
import sharp from 'sharp';
import { Problem } from '../problems/problem.js';

/** Header facts of an accepted image; width and height in pixels, as displayed (EXIF orientation applied). */
export interface ImageFacts {
  mediaType: string;
  width: number;
  height: number;
}

const ascii = (bytes: Buffer, start: number, end: number) => bytes.toString('latin1', start, end);

/** Formats that are recognised in order to say that they are not accepted. */
const REFUSED: readonly { name: string; matches: (bytes: Buffer) => boolean }[] = [
  {
    name: 'SVG or XML',
    matches: (bytes) => /^(\uFEFF)?\s*<(\?xml|svg|!doctype)/i.test(bytes.toString('utf8', 0, 256)),
  },
  { name: 'PDF', matches: (bytes) => ascii(bytes, 0, 5) === '%PDF-' },
  { name: 'TIFF', matches: (bytes) => ['II*\0', 'MM\0*'].includes(ascii(bytes, 0, 4)) },
  { name: 'BMP', matches: (bytes) => ascii(bytes, 0, 2) === 'BM' && bytes.length > 26 },
  { name: 'AVIF, HEIC or video', matches: (bytes) => ascii(bytes, 4, 8) === 'ftyp' },
];

/** Media types that are accepted. */
export const IMAGE_MEDIA_TYPES = IMAGE_FORMATS.map((format) => `image/${format}`);

/** Extension of stored files of an accepted media type. */
export function extensionOf(mediaType: string): string {
  if (!IMAGE_MEDIA_TYPES.includes(mediaType)) throw new Error(`not an accepted media type: ${mediaType}`);
  return mediaType.replace('image/', '').replace('jpeg', 'jpg');
}

/**
 * Reads the header of an image file.
 * Throws image_too_large, too_many_pixels, unsupported_image_format or undecodable_image.
 */
export async function inspectImage(
  bytes: Buffer,
  limits: { MAX_IMAGE_BYTES: number; MAX_IMAGE_PIXELS: number },
): Promise<ImageFacts> {
  if (bytes.length > limits.MAX_IMAGE_BYTES) {
    throw new Problem(
      'image_too_large',
      `The image has ${bytes.length} bytes; at most ${limits.MAX_IMAGE_BYTES} are accepted.`,
    );
  }
  const mediaType = `image/${acceptedFormat(bytes)}`;
  const { width, height, depth } = await readSize(bytes);
  // Decoding 16 bits a channel takes twice the memory.
  const most = depth === 'ushort' ? Math.ceil(limits.MAX_IMAGE_PIXELS / 2) : limits.MAX_IMAGE_PIXELS;
  if (width * height > most) {
    const kind = depth === 'ushort' ? 'with 16 bits a channel ' : '';
    throw new Problem(
      'too_many_pixels',
      `The image has ${width} × ${height} pixels; at most ${most} in all are accepted ${kind}`.trimEnd() +
        '.',
    );
  }
  return { mediaType, width, height };
}

function acceptedFormat(bytes: Buffer): ImageFormat {
  const format = imageFormat(bytes);
  if (format !== undefined) return format;
  const refused = REFUSED.find(({ matches }) => matches(bytes));
  const accepted = `Accepted are ${IMAGE_MEDIA_TYPES.join(', ')}.`;
  if (refused !== undefined) {
    throw new Problem('unsupported_image_format', `The file is ${refused.name}. ${accepted}`);
  }
  const what = bytes.length === 0 ? 'The file is empty.' : 'The file is not an image.';
  throw new Problem('undecodable_image', `${what} ${accepted}`);
}

async function readSize(bytes: Buffer): Promise<{ width: number; height: number; depth: string }> {
  try {
    const { autoOrient, depth } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { ...autoOrient, depth };
  } catch (error) {
    throw new Problem('undecodable_image', 'The header of the image is damaged.', { cause: error });
  }
}

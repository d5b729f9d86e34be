/**
 * How much memory libvips takes at most while it decodes an image file, from its header alone.
 *
 * Rows of a plain JPEG or PNG go through in strips, some hundred rows at a time, and only the pixels that come out are
 * held: of a single row of millions of pixels that is many times the image. Other files are held
 * whole by their decoder first: the coefficients of a JPEG in several scans (libjpeg), interlaced PNG, GIF and WebP.
 * An image that is turned is held once more. `npm run bench -- decode-memory` measures it; see docs/decisions/023.
 */
import type { Metadata } from 'sharp';
import { largestAvifFrame } from './avif.js';
import { heldByTiff } from './tiff-page.js';

/** What the header of a file says about decoding it. */
export type Header = Pick<Metadata, 'format' | 'channels' | 'depth' | 'isProgressive' | 'orientation'> & {
  space?: string;
  width: number;
  height: number;
};

/** Rows that libvips holds at most beside what comes out; images of fewer rows are held whole, and the spare rows besides. */
const STRIP_ROWS = 700;
const SPARE_ROWS = 8;
/** Rows that libjpeg and its strips take more of a wide image. */
const JPEG_ROWS = 128;
/** Bytes a pixel of those rows beside its samples, where they have 16 bits. */
const NARROWED = 2;
/** A coefficient of libjpeg. */
const COEFFICIENT = 2;
/** A pixel of a frame, RGBA. */
const FRAME = 4;
/** What libheif takes for a pixel of AVIF: planes of 16 bits, with alpha, and the image in one piece. */
const AVIF = 25;
/** Most bytes a pixel that any other file takes beside strips: a turned, interlaced PNG of 16-bit RGBA. */
const MOST = 16;
const DEEP_RGBA = 8;

/**
 * Bytes of memory for decoding the file, an upper bound.
 * @throws UnsupportedAvif, UnsupportedTiff, RangeError: a file of these formats whose memory is not known
 */
export function decodeMemory(bytes: Buffer, header: Header): number {
  const { format, width, height, channels, depth } = header;
  const pixels = width * height;
  const isDeep = depth === 'ushort';
  const decoded = channels * (isDeep ? 2 : 1);
  const strips = stripsOf(width, height + (format === 'jpeg' ? JPEG_ROWS : 0), decoded, isDeep);
  if (format === 'heif') return Math.ceil(Math.max(pixels, largestAvifFrame(bytes)) * AVIF) + strips;
  const held = heldByDecoder(bytes, header, decoded);
  const out = format === 'jpeg' || header.space === 'cmyk' ? channels : 3;
  const isTurned = (header.orientation ?? 1) > 1;
  const perPixel = isTurned ? Math.max(held + decoded, decoded + out) : held + out;
  const blocks = format === 'tiff' ? heldByTiff(bytes) : 0;
  return Math.ceil(pixels * perPixel) + strips + blocks;
}

/** Most memory that decoding any file of this size takes, AVIF and TIFF aside. */
export const mostMemory = (width: number, height: number): number =>
  MOST * width * height +
  Math.max(stripsOf(width, height, DEEP_RGBA, true), stripsOf(height, width, DEEP_RGBA, true));

/** Bytes of the rows that go through. They are all of the image where it is wide and low. */
function stripsOf(width: number, height: number, decoded: number, isDeep: boolean): number {
  return (Math.min(height, STRIP_ROWS) + SPARE_ROWS) * width * (decoded + (isDeep ? NARROWED : 0));
}

/** Bytes a pixel of what the decoder holds whole before the first row comes out. */
function heldByDecoder(bytes: Buffer, { format, isProgressive }: Header, decoded: number): number {
  switch (format) {
    case 'jpeg':
      return COEFFICIENT * bufferedSamples(bytes);
    case 'png':
      return isProgressive ? decoded : 0;
    case 'tiff':
      return 0;
    default:
      // GIF: the frame, and a copy of it that the next one may go back to. WebP: the frame and its canvas.
      return 2 * FRAME;
  }
}

const SOS = 0xda;
/** Frame headers, SOF0 to SOF15 without DHT, JPG and DAC. */
const isFrame = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
/** Those of the frame headers that are progressive. */
const PROGRESSIVE = new Set([0xc2, 0xc6, 0xca, 0xce]);

/**
 * Coefficients a pixel that libjpeg keeps of a JPEG file: 0 when all come in one scan, otherwise 1 for each component
 * and less where it is subsampled. A file that is not built as it should be counts as the largest.
 */
function bufferedSamples(bytes: Buffer): number {
  const MOST = 4;
  let frame: { samples: number; components: number; isProgressive: boolean } | undefined;
  for (let at = 2; at + 4 < bytes.length;) {
    if (bytes[at] !== 0xff) return MOST;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === SOS) {
      if (frame === undefined) return MOST;
      return frame.isProgressive || bytes[at + 4]! < frame.components ? frame.samples : 0;
    }
    if (isFrame(marker)) {
      const components = bytes[at + 9] ?? MOST;
      const sizes = Array.from({ length: components }, (_, n) => bytes[at + 11 + 3 * n] ?? 0x11);
      frame = { components, samples: samplesOf(sizes), isProgressive: PROGRESSIVE.has(marker) };
    }
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  return MOST;
}

/** Samples a pixel of components with these sampling factors: horizontal in the high four bits, vertical in the low. */
function samplesOf(sizes: readonly number[]): number {
  const largest = (of: (size: number) => number) => Math.max(1, ...sizes.map(of));
  const all = largest((size) => size >> 4) * largest((size) => size & 15);
  return sizes.reduce((sum, size) => sum + ((size >> 4) * (size & 15)) / all, 0);
}

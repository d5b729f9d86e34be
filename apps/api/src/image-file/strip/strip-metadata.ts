/**
 * Removes from an image file what identifies people and places and is no part of the picture: GPS, camera, maker
 * notes, XMP, IPTC, comments, thumbnails, appended data. What is kept is listed, everything else goes; pixels are not touched.
 */
import type { ImageFormat } from '@clip-ts/clip';
import { stripGif } from './gif.js';
import { stripJpeg } from './jpeg.js';
import { DamagedStructure, lengthOf } from './parts.js';
import type { Part } from './parts.js';
import { stripPng } from './png.js';
import { stripWebp } from './webp.js';

/** AVIF and TIFF have their metadata amid what decoding needs: they are served as other files. */
const STRIP: Partial<Record<ImageFormat, (bytes: Buffer, orientation: number) => Part[]>> = {
  jpeg: stripJpeg,
  png: stripPng,
  webp: stripWebp,
  gif: stripGif,
};

/**
 * The parts of a file to serve, in their order, or undefined when it is not built as its format says, or in a format
 * that is not taken apart: then only its pixels are safe. `orientation` (1 to 8, Exif) is kept where the format can carry it.
 */
export function strippedParts(bytes: Buffer, format: ImageFormat, orientation: number): Part[] | undefined {
  try {
    return STRIP[format]?.(bytes, orientation);
  } catch (error) {
    // RangeError: a number was read beyond the end.
    if (error instanceof DamagedStructure || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** True when the parts are the file itself. */
export function isWhole(parts: readonly Part[], size: number): boolean {
  const [part] = parts;
  return parts.length === 1 && part !== undefined && !Buffer.isBuffer(part) && lengthOf(part) === size;
}

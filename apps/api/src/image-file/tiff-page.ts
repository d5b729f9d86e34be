/**
 * What a TIFF file (TIFF 6.0) asks its decoder for, from its directories: strips and tiles are held whole, and their
 * size is a field of its own. Pages as scanners and cameras write them are accepted: 1, 8 or 16 bits a sample, uncompressed
 * or without loss. The first page is decoded; all directories are read by the decoder.
 */
import { directoryAt, firstDirectory, openTiff } from './tiff.js';
import type { Tiff, TiffEntry } from './tiff.js';

/** A file that is no TIFF of this kind; the message is the second half of a sentence about it. */
export class UnsupportedTiff extends Error {
  override readonly name = 'UnsupportedTiff';
}

const MOST_PAGES = 32;
const [SHORT, LONG] = [3, 4];
const [WIDTH, HEIGHT, BITS, COMPRESSION, COLOURS, SAMPLES] = [256, 257, 258, 259, 262, 277];
const [STRIP_ROWS, PLANES, TILE_WIDTH, TILE_HEIGHT, NUMBERS] = [278, 284, 322, 323, 339];
/** None, CCITT group 4, LZW, Deflate under both of its numbers, PackBits. */
const COMPRESSIONS = [1, 4, 5, 8, 32_946, 32_773];
/** White is 0, black is 0, RGB, a palette, CMYK. */
const COLOUR_KINDS = [0, 1, 2, 3, 5];
const MOST_SAMPLES = 8;

/**
 * Bytes that decoding the first page holds beside the rows that come out.
 * @throws UnsupportedTiff
 */
export function heldByTiff(bytes: Buffer): number {
  const tiff = openTiff(bytes);
  if (tiff === undefined) throw new UnsupportedTiff('ends within its header');
  checkDirectories(tiff);
  const { entries } = directoryAt(tiff, firstDirectory(tiff));
  const value = (tag: number, fallback: number) => valueOf(tiff, entries, tag, fallback);
  const [width, height] = [value(WIDTH, 0), value(HEIGHT, 0)];
  const samples = value(SAMPLES, 1);
  const bits = sameOf(tiff, entries, BITS, samples);
  if (![1, 8, 16].includes(bits))
    throw new UnsupportedTiff(`has samples of ${bits} bits; expected 1, 8 or 16`);
  const compression = value(COMPRESSION, 1);
  if (!COMPRESSIONS.includes(compression))
    throw new UnsupportedTiff(
      `is compressed by method ${compression}; expected none, LZW, Deflate, PackBits or group 4`,
    );
  if (
    !COLOUR_KINDS.includes(value(COLOURS, 1)) ||
    value(PLANES, 1) !== 1 ||
    sameOf(tiff, entries, NUMBERS, samples) !== 1
  )
    throw new UnsupportedTiff('is not of grey, RGB, palette or CMYK pixels with whole numbers in one plane');
  if (width * height === 0 || samples > MOST_SAMPLES)
    throw new UnsupportedTiff('has no size, or too many channels');
  // A single bit becomes a byte.
  const pixel = samples * Math.max(1, bits / 8);
  const [tileWidth, tileHeight] = [value(TILE_WIDTH, 0), value(TILE_HEIGHT, 0)];
  if (tileWidth * tileHeight > 0) {
    // Two rows of tiles, one that is read and one that is unpacked.
    return (2 * Math.ceil(width / tileWidth) + 2) * tileWidth * tileHeight * pixel;
  }
  return Math.min(value(STRIP_ROWS, height), height) * width * pixel;
}

/** The decoder reads all directories to count the pages: their values may not be more than the file has bytes. */
function checkDirectories(tiff: Tiff): void {
  const seen = new Set<number>();
  let values = 0;
  for (let at = firstDirectory(tiff); at !== 0;) {
    if (seen.has(at)) throw new UnsupportedTiff('has directories that form a circle');
    seen.add(at);
    if (seen.size > MOST_PAGES) throw new UnsupportedTiff(`has more than ${MOST_PAGES} pages`);
    const { entries, next } = directoryAt(tiff, at);
    if (entries.length === 0) throw new UnsupportedTiff('has an empty directory');
    // No type is smaller than a byte.
    values += entries.reduce((sum, { count }) => sum + count, 0);
    if (values > tiff.bytes.length) throw new UnsupportedTiff('claims more values than it has bytes');
    at = next;
  }
}

/** A single whole number. */
function valueOf(tiff: Tiff, entries: readonly TiffEntry[], tag: number, fallback: number): number {
  const found = entries.filter((entry) => entry.tag === tag);
  const [entry] = found;
  if (entry === undefined) return fallback;
  const isPlain = found.length === 1 && entry.count === 1 && [SHORT, LONG].includes(entry.type);
  if (!isPlain) throw new UnsupportedTiff(`has a field ${tag} that is not one whole number`);
  return entry.type === SHORT ? tiff.u16(entry.field) : tiff.u32(entry.field);
}

/** What a field says of each sample, which must be the same of all; 1 without it. */
function sameOf(tiff: Tiff, entries: readonly TiffEntry[], tag: number, samples: number): number {
  const [entry, ...others] = entries.filter((one) => one.tag === tag);
  if (entry === undefined) return 1;
  const isWhole = entry.type === SHORT && entry.count === samples && others.length === 0;
  if (!isWhole || samples > MOST_SAMPLES || entry.at + 2 * samples > tiff.bytes.length)
    throw new UnsupportedTiff(`does not give field ${tag} for each of its ${samples} samples`);
  const values = Array.from({ length: samples }, (_, n) => tiff.u16(entry.at + 2 * n));
  if (new Set(values).size !== 1) throw new UnsupportedTiff(`has samples that differ in field ${tag}`);
  return values[0]!;
}

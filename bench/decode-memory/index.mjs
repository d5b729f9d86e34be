/**
 * Memory that decoding one image takes, per pixel, beside the upper bound that the service computes from the header
 * (apps/api/src/image-file/decode-memory.ts).
 *
 *   npm run bench -- decode-memory [--megapixels 16] [--kinds jpeg_cmyk,tiff]
 *
 * Prints `decode_memory.KIND: BYTES bytes/pixel (bound BYTES)`. Each file is decoded in a process of its own (decode.mjs);
 * Linux only.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { decodeMemory } from '../../apps/api/build/image-file/decode-memory.js';

const { values } = parseArgs({
  options: { megapixels: { type: 'string', default: '16' }, kinds: { type: 'string' } },
});
const wanted = values.kinds?.split(',');
const side = Math.floor(Math.sqrt(Number(values.megapixels) * 1e6));
const decoder = fileURLToPath(new URL('decode.mjs', import.meta.url));

/** @param {3 | 4} channels */
const flat = (channels) =>
  sharp({
    create: { width: side, height: side, channels, background: { r: 200, g: 30, b: 40, alpha: 0.7 } },
  });
const progressive = { progressive: true, quality: 40 };
const full = { ...progressive, chromaSubsampling: '4:4:4' };
const interlaced = { progressive: true, compressionLevel: 1 };
const turned = { orientation: 6 };
const tiles = { tile: true, tileWidth: 1024, tileHeight: 1024 };

/** @type {Record<string, () => import('sharp').Sharp>} */
const kinds = {
  jpeg: () => flat(3).jpeg(),
  jpeg_cmyk: () => flat(3).toColourspace('cmyk').jpeg(),
  jpeg_progressive: () => flat(3).jpeg(progressive),
  jpeg_progressive_444: () => flat(3).jpeg(full),
  jpeg_progressive_cmyk: () => flat(3).toColourspace('cmyk').jpeg(full),
  jpeg_turned: () => flat(3).jpeg().withMetadata(turned),
  png: () => flat(3).png({ compressionLevel: 1 }),
  png_palette: () => flat(3).png({ palette: true, effort: 1 }),
  png_16_bit: () => flat(3).toColourspace('rgb16').png({ compressionLevel: 1 }),
  png_interlaced: () => flat(3).png(interlaced),
  png_interlaced_rgba: () => flat(4).png(interlaced),
  png_interlaced_16_bit_rgba: () => flat(4).toColourspace('rgb16').png(interlaced),
  png_interlaced_16_bit_rgba_turned: () =>
    flat(4).toColourspace('rgb16').png(interlaced).withMetadata(turned),
  webp: () => flat(4).webp({ effort: 0 }),
  webp_lossless: () => flat(4).webp({ lossless: true, effort: 0 }),
  webp_turned: () => flat(3).webp({ effort: 0 }).withMetadata(turned),
  gif: () => flat(3).gif({ effort: 1 }),
  avif: () => flat(3).avif({ effort: 0 }),
  avif_444_12_bit_rgba: () => flat(4).avif({ effort: 0, bitdepth: 12, chromaSubsampling: '4:4:4' }),
  avif_turned: () => flat(3).avif({ effort: 0 }).withMetadata(turned),
  tiff: () => flat(3).tiff({ compression: 'none' }),
  tiff_lzw: () => flat(3).tiff({ compression: 'lzw' }),
  tiff_1_bit: () => flat(3).toColourspace('b-w').tiff({ bitdepth: 1, compression: 'ccittfax4' }),
  tiff_cmyk: () => flat(3).toColourspace('cmyk').tiff({ compression: 'lzw' }),
  tiff_tiles: () => flat(4).tiff({ ...tiles, compression: 'deflate' }),
  tiff_16_bit_rgba: () => flat(4).toColourspace('rgb16').tiff({ compression: 'lzw' }),
  tiff_16_bit_rgba_tiles: () =>
    flat(4)
      .toColourspace('rgb16')
      .tiff({ ...tiles, compression: 'lzw' }),
  tiff_turned: () => flat(3).tiff({ compression: 'lzw' }).withMetadata(turned),
};

const folder = mkdtempSync(join(tmpdir(), 'decode-memory-'));
try {
  for (const [kind, draw] of Object.entries(kinds)) {
    if (wanted?.includes(kind) === false) continue;
    const path = join(folder, kind);
    writeFileSync(path, await draw().toBuffer());
    const held = Number(execFileSync(process.execPath, [decoder, path], { encoding: 'utf8' })) / side ** 2;
    console.log(
      `decode_memory.${kind}: ${held.toFixed(1)} bytes/pixel (bound ${(await boundOf(path)).toFixed(1)})`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** @param {string} path */
async function boundOf(path) {
  const file = readFileSync(path);
  return decodeMemory(file, await sharp(file).metadata()) / side ** 2;
}

/** Images that were made, or could be, to cost the service far more than they cost their sender. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { form, formPart } from './wire.mjs';
import { IMAGE, MIB, bytes, hostile, pixel, texts } from './parts.mjs';

/** @typedef {import('./parts.mjs').Hostile} Hostile */

/** @returns {Hostile[]} */
export function hostileImages() {
  const side = 7000;
  /** @param {(image: import('sharp').Sharp) => import('sharp').Sharp} encode */
  const flat = async (encode) =>
    encode(sharp({ create: { width: side, height: side, channels: 3, background: 'white' } })).toBuffer();
  return [
    hostile('16 PNGs of 49 megapixels at the same time', async () => {
      const png = await flat((img) => img.png());
      return texts(16, () => '').map(() => form('/search/image', [formPart('image', png, IMAGE)]));
    }),
    hostile('6 different progressive JPEGs of 49 megapixels in one form', async () => {
      const jpeg = await flat((img) => img.jpeg({ progressive: true, quality: 30 }));
      return form(
        '/images',
        texts(6, (n) => String(n)).map((n) => formPart('image', Buffer.concat([jpeg, bytes(n)]), IMAGE)),
      );
    }),
    hostile('an interlaced PNG of 49 megapixels', async () =>
      form('/search/image', [formPart('image', await flat((img) => img.png({ progressive: true })), IMAGE)]),
    ),
    hostile('a GIF of 1,000 frames', async () =>
      form('/search/image', [formPart('image', await frames(1000), IMAGE)]),
    ),
    ...[1, 4, 240].map((height) =>
      hostile(`16-bit PNGs of few long rows, ${height}`, async () => {
        const width = Math.floor(32_000_000 / height);
        const png = await sharp({ create: { width, height, channels: 3, background: 'white' } })
          .toColourspace('rgb16')
          .png()
          .toBuffer();
        return texts(4, () => '').map(() => form('/search/image', [formPart('image', png, IMAGE)]));
      }),
    ),
    hostile('a PNG with a compressed profile of 256 MB', () =>
      form('/search/image', [
        formPart('image', withChunk('iCCP', Buffer.concat([bytes('p\0\0'), bomb()])), IMAGE),
      ]),
    ),
    hostile('a PNG with a compressed text of 256 MB', () =>
      form('/search/image', [
        formPart('image', withChunk('zTXt', Buffer.concat([bytes('t\0\0'), bomb()])), IMAGE),
      ]),
    ),
    hostile('a PNG with 100,000 chunks', () =>
      form('/search/image', [formPart('image', withChunk('tEXt', bytes('a\0b'), 100_000), IMAGE)]),
    ),
    hostile('a PNG that says 2³¹ × 2³¹ pixels', () => {
      const png = Buffer.from(pixel);
      png.writeUInt32BE(0x7fffffff, 16);
      png.writeUInt32BE(0x7fffffff, 20);
      return form('/search/image', [formPart('image', png, IMAGE)]);
    }),
  ];
}

const MAX_PIXELS = 32_000_000;
const MAX_DECODE_BYTES = 256 * MIB;

/** Images just below the default limits, of the kinds that take most memory: eight of each at the same time. @returns {Hostile[]} */
export function largestImages() {
  const colour = { r: 200, g: 30, b: 40, alpha: 0.7 };
  /** @param {3 | 4} channels @param {number} perPixel Bytes that decoding takes; see decode-memory.ts. */
  const flat = (channels, perPixel) => {
    const side = Math.floor(Math.sqrt(Math.min(MAX_PIXELS, MAX_DECODE_BYTES / perPixel)));
    return sharp({ create: { width: side, height: side, channels, background: colour } });
  };
  const jpeg = { progressive: true, quality: 40, chromaSubsampling: '4:4:4' };
  const png = { progressive: true, compressionLevel: 1 };
  /** @type {Record<string, () => import('sharp').Sharp>} */
  const kinds = {
    JPEG: () => flat(3, 3.5).jpeg({ quality: 40 }),
    'turned JPEG': () => flat(3, 6.5).jpeg({ quality: 40 }).withMetadata({ orientation: 6 }),
    'progressive JPEG': () => flat(3, 9.5).jpeg(jpeg),
    'progressive CMYK JPEG': () => flat(3, 13).toColourspace('cmyk').jpeg(jpeg),
    'turned progressive JPEG': () => flat(3, 9.5).jpeg(jpeg).withMetadata({ orientation: 6 }),
    'interlaced PNG': () => flat(4, 7.5).png(png),
    'interlaced 16-bit PNG': () => flat(4, 12).toColourspace('rgb16').png(png),
    'turned interlaced 16-bit PNG': () =>
      flat(4, 17).toColourspace('rgb16').png(png).withMetadata({ orientation: 6 }),
    'lossless WebP': () => flat(4, 12).webp({ lossless: true, effort: 0 }),
    WebP: () => flat(4, 12).webp({ quality: 20, effort: 0 }),
    GIF: () => flat(3, 11.5).gif({ effort: 1 }),
    AVIF: () => flat(4, 26.5).avif({ effort: 0 }),
    'turned TIFF': () => flat(3, 7).tiff({ compression: 'lzw' }).withMetadata({ orientation: 6 }),
    '16-bit TIFF': () => flat(4, 7).toColourspace('rgb16').tiff({ compression: 'lzw' }),
  };
  return Object.entries(kinds).map(([name, draw]) =>
    hostile(`8 of the largest images, ${name}`, async () => {
      const file = await draw().toBuffer();
      return texts(8, () => '').map(() => ({
        ...form('/search/image', [formPart('image', file, IMAGE)]),
        patience: 60_000,
      }));
    }),
  );
}

/** @type {Buffer | undefined} */
let deflatedZeros;

/** 256 MB of zeros, deflated. */
function bomb() {
  deflatedZeros ??= deflateSync(Buffer.alloc(256 * MIB), { level: 9 });
  return deflatedZeros;
}

/** The PNG of one pixel with a chunk after its header. @param {string} type @param {Buffer} data */
function withChunk(type, data, count = 1) {
  const name = bytes(type);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc(Buffer.concat([name, data])));
  const chunk = Buffer.concat([length, name, data, sum]);
  return Buffer.concat([
    pixel.subarray(0, 33),
    ...Array.from({ length: count }, () => chunk),
    pixel.subarray(33),
  ]);
}

/** CRC-32 as PNG uses it. @param {Uint8Array} data */
function crc(data) {
  let value = 0xffffffff;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}

/** @param {number} count */
async function frames(count) {
  const size = 64;
  const pages = Buffer.alloc(size * size * count * 3);
  for (let page = 0; page < count; page++)
    pages.fill(page % 256, page * size * size * 3, (page + 1) * size * size * 3);
  return sharp(pages, { raw: { width: size, height: size * count, channels: 3, pageHeight: size } })
    .gif()
    .toBuffer();
}

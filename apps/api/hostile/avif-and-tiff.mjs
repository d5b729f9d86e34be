/** AVIF and TIFF files that say other sizes than they have, or are built as nobody builds them. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { form, formPart } from './wire.mjs';
import { bytes, hostile, texts } from './parts.mjs';

/** @typedef {import('./parts.mjs').Hostile} Hostile */
/** @typedef {[tag: number, type: number, values: number[] | Buffer]} Entry */

const [BYTE, SHORT, LONG] = [1, 3, 4];
const FILE = '; filename="a.bin"\r\nContent-Type: application/octet-stream';

/** @param {string} name @param {() => Buffer | Promise<Buffer>} make @param {number} [count] How many are sent at the same time. */
const image = (name, make, count = 1) =>
  hostile(name, async () => {
    const file = await make();
    return texts(count, () => '').map(() => form('/search/image', [formPart('image', file, FILE)]));
  });

/** @returns {Hostile[]} */
export function hostileAvifAndTiff() {
  return [...avif(), ...tiff()];
}

/** @returns {Hostile[]} */
function avif() {
  const whole = () =>
    sharp({ create: { width: 64, height: 64, channels: 4, background: '#12345680' } })
      .avif({ effort: 0 })
      .toBuffer();
  /** @param {string} from @param {string | Buffer} to Written over each place where `from` stands. */
  const replaced = async (from, to) => {
    const file = await whole();
    const name = bytes(from);
    for (let at = file.indexOf(name); at !== -1; at = file.indexOf(name, at + 4))
      Buffer.from(to).copy(file, at);
    return file;
  };
  return [
    image('an AVIF that ends in the middle', async () => (await whole()).subarray(0, 300)),
    image('an AVIF whose pixels are missing', async () => (await whole()).subarray(0, -20)),
    image('an AVIF whose box says 2³¹ × 2³¹ pixels', () =>
      replaced('ispe', Buffer.from('69737065000000007fffffff7fffffff', 'hex')),
    ),
    image('an AVIF sequence', () => replaced('ftypavif', 'ftypavis')),
    image('HEVC that says it is AVIF', () => replaced('av01', 'hvc1')),
    image('an AVIF grid', () => replaced('av01', 'grid')),
    image('an AVIF with as many items as there are numbers', () =>
      replaced('iinf', Buffer.from('69696e6600000000ffff', 'hex')),
    ),
    image('an AVIF of boxes alone', () =>
      Buffer.concat([
        bytes('\0\0\0\x18ftypavif\0\0\0\0avifmif1'),
        Buffer.alloc(1 << 20, bytes('\0\0\0\x08free')),
      ]),
    ),
    image('an AVIF whose box says 2⁶⁴ bytes', () =>
      Buffer.concat([bytes('\0\0\0\x18ftypavif\0\0\0\0avifmif1\0\0\0\x01meta'), Buffer.alloc(200, 255)]),
    ),
    image('8 AVIFs of noise', () => noise(700).avif({ effort: 0, quality: 100 }).toBuffer(), 8),
  ];
}

/** @param {number} side */
const noise = (side) =>
  sharp({
    create: {
      width: side,
      height: side,
      channels: 3,
      background: 'grey',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  });

/** @returns {Hostile[]} */
function tiff() {
  const zeros = () => deflateSync(Buffer.alloc(4000 * 4000 * 3));
  const garbage = Buffer.from(texts(4000, (n) => String((n * 7919) % 9973)).join(''));
  /** @param {number} compression @param {Partial<Page>} [more] */
  const compressed = (compression, more) => () =>
    tiffOf({ width: 64, height: 64, compression, data: garbage, ...more });
  return [
    image('a TIFF that ends in the middle', () => tiffOf({ width: 64, height: 64 }).subarray(0, 200)),
    image('a TIFF that says 2³¹ × 2³¹ pixels', () => tiffOf({ width: 0x7fffffff, height: 0x7fffffff })),
    image('a TIFF of one row of 30 million pixels', () => tiffOf({ width: 30_000_000, height: 1 })),
    image('a TIFF of one column of 30 million pixels', () => tiffOf({ width: 1, height: 30_000_000 })),
    image('a TIFF of 2,000 pages', () => tiffOf({ width: 8, height: 8 }, 2000)),
    image('a BigTIFF', () => Buffer.concat([bytes('II+\0\x08\0\0\0'), Buffer.alloc(400, 1)])),
    image('a TIFF with as many strips as there are numbers', () =>
      tiffOf({ width: 64, height: 64, counts: { 273: 0xffffffff, 279: 0xffffffff } }),
    ),
    image('a TIFF whose strips lie behind its end', () =>
      tiffOf({ width: 64, height: 64, extra: [[273, LONG, [0xfffffff0]]] }),
    ),
    image('a TIFF whose strip has 4 GB', () =>
      tiffOf({ width: 64, height: 64, extra: [[279, LONG, [0xffffffff]]] }),
    ),
    image('a TIFF with tiles of 2¹⁶ × 2¹⁶', () =>
      tiffOf({ width: 64, height: 64, extra: tiles(65_536, 65_536, 1) }),
    ),
    image('a TIFF with tiles that are no multiple of 16', () =>
      tiffOf({ width: 64, height: 64, extra: tiles(7, 1, 640) }),
    ),
    image('a TIFF with a description of 10 MB', () =>
      tiffOf({ width: 8, height: 8, extra: [[270, BYTE, Buffer.alloc(10 << 20, 'a')]] }),
    ),
    image('a TIFF with a profile of 10 MB', () =>
      tiffOf({ width: 8, height: 8, extra: [[34_675, BYTE, Buffer.alloc(10 << 20, 'a')]] }),
    ),
    image(
      '8 TIFFs of 16 megapixels in one strip of 50 kB',
      () => {
        const data = zeros();
        return tiffOf({ width: 4000, height: 4000, compression: 8, data });
      },
      8,
    ),
    ...[2, 3, 4, 5, 6, 7, 8, 34_677, 34_712, 34_887, 34_925, 50_000, 50_001, 32_773, 65_535].map((method) =>
      image(`a TIFF of garbage compressed by method ${method}`, compressed(method)),
    ),
    image('a TIFF of garbage of one bit', compressed(4, { width: 5000, height: 5000, bits: [1] })),
    image('a TIFF of 16 samples', compressed(1, { bits: texts(16, () => '').map(() => 16) })),
    image(
      'a TIFF of floating point',
      compressed(1, { bits: [32, 32, 32], extra: [[339, SHORT, [3, 3, 3]]] }),
    ),
    image('a TIFF of a palette without one', compressed(1, { bits: [8], colours: 3 })),
  ];
}

/** @param {number} width @param {number} height @param {number} count @returns {Entry[]} */
const tiles = (width, height, count) => [
  [322, LONG, [width]],
  [323, LONG, [height]],
  [324, LONG, texts(count, () => '').map(() => 8)],
  [325, LONG, texts(count, () => '').map(() => 64)],
];

/**
 * @typedef {object} Page
 * @property {number} width
 * @property {number} height
 * @property {number[]} [bits] Of each sample.
 * @property {number} [compression]
 * @property {number} [colours]
 * @property {Buffer} [data] Of its one strip.
 * @property {Entry[]} [extra] Instead of what stands here, or besides it.
 * @property {Record<number, number>} [counts] What entries say of how many values they have.
 */

/** A TIFF file whose pages are all this one. @param {Page} page */
function tiffOf(page, pages = 1) {
  const {
    width,
    height,
    bits = [8, 8, 8],
    compression = 1,
    data = Buffer.alloc(64),
    extra = [],
    counts = {},
  } = page;
  const colours = page.colours ?? (bits.length < 3 ? 1 : 2);
  /** @type {Map<number, Entry>} */
  const entries = new Map();
  /** @type {Entry[]} */
  const plain = [
    [256, LONG, [width]],
    [257, LONG, [height]],
    [258, SHORT, bits],
    [259, SHORT, [compression]],
    [262, SHORT, [colours]],
    [273, LONG, [8]],
    [277, SHORT, [bits.length]],
    [278, LONG, [height]],
    [279, LONG, [data.length]],
  ];
  for (const entry of [...plain, ...extra]) entries.set(entry[0], entry);
  const parts = [bytes('II*\0\0\0\0\0'), data];
  let end = 8 + data.length;
  const sorted = [...entries.values()]
    .sort(([a], [b]) => a - b)
    .map(([tag, type, values]) => {
      const size = type === SHORT ? 2 : type === LONG ? 4 : 1;
      const count = counts[tag] ?? values.length;
      const held = Buffer.alloc(Math.max(4, size * values.length));
      if (Buffer.isBuffer(values)) values.copy(held);
      else
        values.forEach((value, n) =>
          size === 2 ? held.writeUInt16LE(value, 2 * n) : held.writeUInt32LE(value, 4 * n),
        );
      const entry = Buffer.alloc(12);
      entry.writeUInt16LE(tag, 0);
      entry.writeUInt16LE(type, 2);
      entry.writeUInt32LE(count, 4);
      if (held.length === 4) held.copy(entry, 8);
      else {
        entry.writeUInt32LE(end, 8);
        parts.push(held);
        end += held.length;
      }
      return entry;
    });
  parts[0]?.writeUInt32LE(end, 4);
  const size = 2 + 12 * sorted.length + 4;
  for (let n = 0; n < pages; n++) {
    const count = Buffer.alloc(2);
    count.writeUInt16LE(sorted.length);
    const next = Buffer.alloc(4);
    next.writeUInt32LE(n === pages - 1 ? 0 : end + (n + 1) * size);
    parts.push(count, ...sorted, next);
  }
  return Buffer.concat(parts);
}

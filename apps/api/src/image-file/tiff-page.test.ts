import sharp from 'sharp';
import type { TiffOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { damagedCopies, readOrRefused } from '../../test/support/damaged-files.js';
import { UnsupportedTiff, heldByTiff } from './tiff-page.js';
import { directoryAt, firstDirectory, openTiff } from './tiff.js';

const picture = () => sharp({ create: { width: 300, height: 200, channels: 3, background: 'teal' } });
const tiff = (options: TiffOptions = {}) =>
  picture()
    .tiff({ compression: 'lzw', ...options })
    .toBuffer();
/** Writes the number that an entry of the first directory holds. */
function set(bytes: Buffer, tag: number, value: number, type = 4): Buffer {
  const copy = Buffer.from(bytes);
  const { field } = entryOf(copy, tag);
  copy.writeUInt16LE(type, field - 6);
  copy.writeUInt32LE(value, field);
  return copy;
}
const entryOf = (bytes: Buffer, tag: number) => {
  const file = openTiff(bytes)!;
  return directoryAt(file, firstDirectory(file)).entries.find((entry) => entry.tag === tag)!;
};
/** Where the first directory says that the next one lies. */
const nextField = (bytes: Buffer) => {
  const at = bytes.readUInt32LE(4);
  return at + 2 + 12 * bytes.readUInt16LE(at);
};

describe('what decoding a TIFF page holds', () => {
  it('is its strips, or two rows of its tiles and two more', async () => {
    const strips = await tiff();
    const rows = strips.readUInt16LE(entryOf(strips, 278).field);
    expect(heldByTiff(strips)).toBe(Math.min(rows, 200) * 300 * 3);
    expect(heldByTiff(set(strips, 278, 0xffff_ffff))).toBe(200 * 300 * 3);
    expect(heldByTiff(await tiff({ tile: true, tileWidth: 128, tileHeight: 64 }))).toBe(
      (2 * 3 + 2) * 128 * 64 * 3,
    );
  });

  it('is that of tiles far beyond the image', async () => {
    const tiled = await tiff({ tile: true, tileWidth: 128, tileHeight: 64 });
    expect(heldByTiff(set(set(tiled, 322, 65_536), 323, 65_536))).toBe(4 * 65_536 ** 2 * 3);
  });

  it.each([
    ['JPEG inside', /method 7/, () => tiff({ compression: 'jpeg' })],
    ['an unknown compression', /method 34712/, async () => set(await tiff(), 259, 34_712, 3)],
    ['Lab colours', /is not of grey/, async () => set(await tiff(), 262, 8, 3)],
    ['planes', /is not of grey/, async () => set(await tiff(), 284, 2, 3)],
    ['no width', /no size/, async () => set(await tiff(), 256, 0)],
    ['a width in eighths', /field 256/, async () => set(await tiff(), 256, 300, 5)],
    [
      'fewer bits than samples',
      /for each of its 4 samples/,
      () => tiff({ compression: 'lzw' }).then((bytes) => set(bytes, 277, 4, 3)),
    ],
    [
      'a circle of directories',
      /circle/,
      async () => {
        const bytes = await tiff();
        bytes.writeUInt32LE(bytes.readUInt32LE(4), nextField(bytes));
        return bytes;
      },
    ],
    [
      'more values than bytes',
      /more values/,
      async () => {
        const bytes = await tiff();
        bytes.writeUInt32LE(0xffff_ffff, entryOf(bytes, 273).field - 4);
        return bytes;
      },
    ],
    [
      'too many pages',
      /32 pages/,
      async () => {
        const page = Buffer.from([1, 0, 0, 1, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
        const pages = Array.from({ length: 40 }, (_, n) => {
          const next = Buffer.alloc(4);
          next.writeUInt32LE(n === 39 ? 0 : 8 + 18 * (n + 1));
          return Buffer.concat([page, next]);
        });
        return Promise.resolve(Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), ...pages]));
      },
    ],
  ])('is refused: %s', async (_what, message, file) => {
    const bytes = await file();
    expect(() => heldByTiff(bytes)).toThrow(UnsupportedTiff);
    expect(() => heldByTiff(bytes)).toThrow(message);
  });

  it('is a number or a refusal wherever a file is cut off or one of its bytes is another', async () => {
    const whole = await picture().resize(12, 8).tiff({ compression: 'none' }).toBuffer();
    for (const bytes of damagedCopies(whole))
      expect(readOrRefused(heldByTiff, bytes, UnsupportedTiff, RangeError)).toBeGreaterThanOrEqual(0);
  });
});

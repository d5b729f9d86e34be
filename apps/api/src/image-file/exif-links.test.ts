import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { hasTangledExif } from './exif-links.js';

/** A directory at byte 8 with `count` entries of one tag, whose value is byte `to`. */
function directory(count: number, tag: number, to: number): Buffer {
  const tiff = Buffer.alloc(8 + 2 + 12 * count + 4);
  tiff.write('MM\0*', 'latin1');
  tiff.writeUInt32BE(8, 4);
  tiff.writeUInt16BE(count, 8);
  for (let at = 10; at < 10 + 12 * count; at += 12) {
    tiff.writeUInt16BE(tag, at);
    tiff.writeUInt16BE(4, at + 2);
    tiff.writeUInt32BE(1, at + 4);
    tiff.writeUInt32BE(to, at + 8);
  }
  return tiff;
}

describe('Exif whose directories lead to each other', () => {
  it.each([
    ['to itself, as Exif', directory(5400, 0x8769, 8)],
    ['to itself, as GPS', directory(17, 0x8825, 8)],
    ['out of the file', directory(5400, 0xa005, 1_000_000_000)],
    ['in a structure after many', Buffer.concat([directory(1, 0x112, 6), directory(60_000, 0x8769, 8)])],
    ['in 100,000 structures', Buffer.concat(Array.from({ length: 100_000 }, () => directory(2, 0x112, 1)))],
  ])('is found: %s', (_how, exif) => {
    expect(hasTangledExif(exif)).toBe(true);
    expect(hasTangledExif(Buffer.concat([Buffer.from('a JPEG file before it'), exif]))).toBe(true);
  });

  it.each([
    ['an orientation', directory(1, 0x112, 6)],
    ['5,400 other entries', directory(5400, 0x112, 8)],
    ['a link to itself', directory(1, 0x8769, 8)],
    ['a structure that is cut off', Buffer.from('II*\0\x08', 'latin1')],
    ['nothing', Buffer.alloc(0)],
  ])('is not seen in %s', (_what, exif) => {
    expect(hasTangledExif(exif)).toBe(false);
  });

  it('is not seen in what a camera writes', async () => {
    const photo = sharp({ create: { width: 60, height: 40, channels: 3, background: 'teal' } })
      .withExif({
        IFD0: { Make: 'A camera' },
        IFD2: { ISOSpeedRatings: '100' },
        IFD3: { GPSLatitudeRef: 'N' },
      })
      .withMetadata({ orientation: 6 });
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      expect(hasTangledExif(await photo.clone().toFormat(format).toBuffer())).toBe(false);
    }
  });
});

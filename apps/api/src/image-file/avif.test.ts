import sharp from 'sharp';
import type { AvifOptions, Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { damagedCopies, readOrRefused } from '../../test/support/damaged-files.js';
import { UnsupportedAvif, largestAvifFrame } from './avif.js';

const picture = (width: number, height: number, channels: 3 | 4 = 3) =>
  sharp({ create: { width, height, channels, background: { r: 200, g: 30, b: 60, alpha: 0.5 } } });
const avif = (image: Sharp, options: AvifOptions = {}) => image.avif({ effort: 0, ...options }).toBuffer();
const replaced = (bytes: Buffer, from: string, to: string) => {
  const copy = Buffer.from(bytes);
  copy.write(to, copy.indexOf(from, 0, 'latin1'), 'latin1');
  return copy;
};

describe('the largest frame of an AVIF file', () => {
  it('is read from its AV1 data, whatever its depth, with alpha, Exif, or turned', async () => {
    expect(largestAvifFrame(await avif(picture(70, 30)))).toBe(2100);
    expect(largestAvifFrame(await avif(picture(64, 64, 4), { bitdepth: 10 }))).toBe(4096);
    const described = picture(40, 20).withExif({ IFD0: { Make: 'A camera' } });
    expect(largestAvifFrame(await avif(described.withMetadata({ orientation: 6 })))).toBe(800);
  });

  it('is not what the container says', async () => {
    const bytes = await avif(picture(700, 300));
    const size = bytes.indexOf('ispe') + 8;
    bytes.writeUInt32BE(7, size);
    bytes.writeUInt32BE(3, size + 4);
    expect(largestAvifFrame(bytes)).toBe(210_000);
  });

  it('is refused where the container says more than AV1 has', async () => {
    const bytes = await avif(picture(40, 20));
    bytes.writeUInt32BE(0x7fff_ffff, bytes.indexOf('ispe') + 8);
    expect(() => largestAvifFrame(bytes)).toThrow('more than 65536 pixels');
  });

  it('is refused where images compose another, or none is where it should be', async () => {
    const whole = await avif(picture(40, 20));
    for (const [from, to] of [
      ['av01', 'grid'],
      ['av01', 'iovl'],
      ['av01', 'hvc1'],
      ['iloc', 'free'],
      ['iinf', 'free'],
      ['meta', 'moov'],
    ] as const) {
      expect(() => largestAvifFrame(replaced(whole, from, to)), to).toThrow(UnsupportedAvif);
    }
  });

  it('is a number or a refusal wherever a file is cut off or one of its bytes is another', async () => {
    const whole = await avif(picture(40, 20, 4));
    for (const bytes of damagedCopies(whole))
      expect(readOrRefused(largestAvifFrame, bytes, UnsupportedAvif, RangeError)).toBeGreaterThanOrEqual(0);
  });
});

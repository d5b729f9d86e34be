import sharp from 'sharp';
import type { Exif } from 'sharp';
import { describe, expect, it } from 'vitest';
import { takenOf } from './exif-date.js';

/** Exif as sharp reads it from a file of the format that was written with these entries. */
async function exifOf(entries: Record<string, string>, format: 'jpeg' | 'png' | 'webp' = 'jpeg') {
  const exif: Exif = { IFD0: { Make: 'A camera' }, IFD2: entries };
  const picture = sharp({ create: { width: 8, height: 8, channels: 3, background: 'teal' } });
  return (await sharp(await picture.withExif(exif).toFormat(format).toBuffer()).metadata()).exif!;
}
const DATE = '2024:06:12 18:32:05';
const AT = new Date('2024-06-12T18:32:05Z');

describe('when a photo was taken', () => {
  it.each(['jpeg', 'png', 'webp'] as const)('is in the Exif of %s', async (format) => {
    const exif = await exifOf({ DateTimeOriginal: DATE, OffsetTimeOriginal: '-03:30' }, format);
    expect(takenOf(exif)).toEqual({ at: AT, offset: -210 });
  });

  it.each([
    ['+02:00', 120],
    ['+00:00', 0],
    ['-00:00', 0],
    ['+25:00', null],
    ['Z     ', null],
    ['', null],
  ])('has the offset “%s” as %s', async (text, offset) => {
    const entries = { DateTimeOriginal: DATE, ...(text !== '' && { OffsetTimeOriginal: text }) };
    expect(takenOf(await exifOf(entries))).toEqual({ at: AT, offset });
  });

  it.each([
    '0000:00:00 00:00:00',
    '    :  :     :  :  ',
    '2024:02:30 10:00:00',
    '2024:06:12 24:00:00',
    '2024-06-12 18:32:05',
    '1825:12:31 23:59:59',
    '2024:06:12',
  ])('is not known from “%s”', async (text) => {
    expect(takenOf(await exifOf({ DateTimeOriginal: text }))).toBeNull();
  });

  it('is not known from Exif that is cut off anywhere, leads beyond its end, or is none', async () => {
    const whole = await exifOf({ DateTimeOriginal: DATE });
    for (let length = 0; length < whole.indexOf(DATE) + DATE.length; length++)
      expect(takenOf(whole.subarray(0, length))).toBeNull();
    const link = Buffer.from([0x69, 0x87, 4, 0]);
    for (const target of [0xffff_ffff, whole.length, 8]) {
      const led = Buffer.from(whole);
      led.writeUInt32LE(target, led.indexOf(link) + 8);
      expect(takenOf(led)).toBeNull();
    }
    expect([takenOf(undefined), takenOf(Buffer.from('Exif\0\0nothing of the kind'))]).toEqual([null, null]);
  });
});

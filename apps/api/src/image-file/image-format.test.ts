import { plainJpegHeader } from '@clip-ts/clip';
import { IMAGE_FORMATS, OPTIONAL_IMAGE_FORMATS } from '@clip-ts/clip';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeMemory } from './decode-memory.js';
import { takenOf } from './exif-date.js';
import { inspectImage } from './image-format.js';

const limits = {
  ...{ MAX_IMAGE_BYTES: 1_000_000, MAX_IMAGE_PIXELS: 10_000, MAX_DECODE_BYTES: 126_000 },
  IMAGE_FORMATS,
};
const all = { ...limits, IMAGE_FORMATS: [...IMAGE_FORMATS, ...OPTIONAL_IMAGE_FORMATS] };
const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'red' } });

describe('inspecting an image', () => {
  it.each(['jpeg', 'png', 'webp', 'gif'] as const)('knows %s by its bytes', async (format) => {
    const bytes = await picture(20, 10).toFormat(format).toBuffer();
    expect(await inspectImage(bytes, limits)).toMatchObject({
      mediaType: `image/${format}`,
      width: 20,
      height: 10,
    });
  });

  it('gives the size as displayed when EXIF turns the image', async () => {
    const bytes = await picture(20, 10).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await inspectImage(bytes, limits)).toMatchObject({ width: 10, height: 20 });
  });

  it('says of a plain JPEG what libvips says of it', async () => {
    const files = [
      picture(20, 10).jpeg(),
      picture(33, 9).jpeg({ chromaSubsampling: '4:4:4' }),
      picture(7, 31).toColourspace('b-w').jpeg(),
      picture(20, 10)
        .withExif({ IFD2: { DateTimeOriginal: '2019:07:21 14:05:59' } })
        .jpeg(),
    ];
    for (const file of files) {
      const bytes = await file.toBuffer();
      const header = await sharp(bytes).metadata();
      const { width, height } = header;
      const memory = decodeMemory(bytes, header);
      const expected = { mediaType: 'image/jpeg', width, height, memory, taken: takenOf(header.exif) };
      expect(plainJpegHeader(bytes)).toMatchObject({ width, height, channels: header.channels });
      expect(await inspectImage(bytes, limits)).toEqual(expected);
    }
    expect(await inspectImage(await files.at(-1)!.toBuffer(), limits)).toMatchObject({
      taken: { at: new Date('2019-07-21T14:05:59Z') },
    });
  });

  it.each([
    ['too many bytes', Buffer.alloc(1_000_001), 'image_too_large'],
    ['nothing', Buffer.alloc(0), 'undecodable_image'],
    ['text', Buffer.from('hello'), 'undecodable_image'],
    ['a JPEG signature and rubbish', Buffer.from([0xff, 0xd8, 0xff, 1, 2, 3]), 'undecodable_image'],
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'unsupported_image_format'],
    ['SVG after an XML header', Buffer.from('<?xml version="1.0"?><svg/>'), 'unsupported_image_format'],
    ['PDF', Buffer.from('%PDF-1.7'), 'unsupported_image_format'],
  ])('refuses %s', async (_what, bytes, code) => {
    await expect(inspectImage(bytes, limits)).rejects.toMatchObject({ code });
  });

  it('refuses too many pixels by the header alone', async () => {
    const bytes = await picture(200, 100).png().toBuffer();
    await expect(inspectImage(bytes, limits)).rejects.toMatchObject({ code: 'too_many_pixels' });
  });

  it('refuses what takes too much memory to decode, of which a plain file would not', async () => {
    const side = 95;
    const files: [string, Sharp, boolean][] = [
      ['JPEG', picture(side, side).jpeg({ chromaSubsampling: '4:4:4' }), true],
      ['turned JPEG', picture(side, side).withMetadata({ orientation: 6 }).jpeg(), true],
      ['progressive JPEG', picture(side, side).jpeg({ progressive: true }), true],
      [
        'progressive JPEG',
        picture(side, side).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
        false,
      ],
      ['CMYK JPEG', picture(side, side).toColourspace('cmyk').jpeg(), true],
      ['progressive CMYK JPEG', picture(side, side).toColourspace('cmyk').jpeg({ progressive: true }), false],
      ['PNG', picture(side, side).png(), true],
      ['16-bit PNG', picture(side, side).toColourspace('rgb16').png(), true],
      ['interlaced 16-bit PNG', picture(side, side).toColourspace('rgb16').png({ progressive: true }), false],
      ['GIF', picture(side, side).gif(), false],
      ['WEBP', picture(side, side).webp(), false],
    ];
    for (const [name, file, isTaken] of files) {
      const inspected = inspectImage(await file.toBuffer(), limits).catch((error: unknown) => error);
      const expected = isTaken
        ? { width: side }
        : { code: 'too_costly_to_decode', message: expect.stringContaining(`as ${name},`) as string };
      expect(await inspected, name).toMatchObject(expected);
    }
  });

  it.each(['avif', 'tiff'] as const)(
    'takes %s where the settings say so, turned as it is shown',
    async (format) => {
      const image = picture(20, 10).toFormat(format, { compression: format === 'avif' ? 'av1' : 'lzw' });
      const bytes = await image.toBuffer();
      await expect(inspectImage(bytes, limits)).rejects.toMatchObject({ code: 'unsupported_image_format' });
      expect(await inspectImage(bytes, all)).toMatchObject({
        mediaType: `image/${format}`,
        width: 20,
        height: 10,
      });
      const turned = await image.withMetadata({ orientation: 6 }).toBuffer();
      expect(await inspectImage(turned, all)).toMatchObject({ width: 10, height: 20 });
    },
  );

  it('weighs AVIF by its AV1 data and TIFF by its tiles, whatever size they say', async () => {
    const avif = await picture(90, 90).avif().toBuffer();
    for (const at of [8, 12]) avif.writeUInt32BE(10, avif.indexOf('ispe') + at);
    const tiled = { tile: true, tileWidth: 256, tileHeight: 256, compression: 'deflate' } as const;
    const tiff = await picture(20, 20).tiff(tiled).toBuffer();
    for (const bytes of [avif, tiff])
      await expect(inspectImage(bytes, all)).rejects.toMatchObject({ code: 'too_costly_to_decode' });
  });

  it.each([
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic', /HEVC.*Save it as JPEG/],
    ['an AVIF sequence', '\0\0\0\x18ftypavis\0\0\0\0avisavif', /sequence/],
    ['BigTIFF', 'II+\0\x08\0\0\0', /BigTIFF/],
    ['an AVIF of nothing', '\0\0\0\x10ftypavif\0\0\0\0', /no description of one image/],
    ['a TIFF of nothing', 'II*\0\x08\0\0\0\0\0', /empty directory/],
  ])('refuses %s, and says why', async (_what, bytes, message) => {
    await expect(inspectImage(Buffer.from(bytes, 'latin1'), all)).rejects.toMatchObject({
      code: 'unsupported_image_format',
      message: expect.stringMatching(message) as string,
    });
  });
});

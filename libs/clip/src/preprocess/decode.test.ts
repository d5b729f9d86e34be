import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from './decode.js';
import { imageFormat } from './image-format.js';

/** 4 × 2 pixels, left half red and right half blue. */
const RED = [255, 0, 0];
const BLUE = [0, 0, 255];
const row = [...RED, ...RED, ...BLUE, ...BLUE];
const raw = { raw: { width: 4, height: 2, channels: 3 as const } };
const picture = () => sharp(Uint8Array.from([...row, ...row]), raw);
/** Noise does not compress, so cutting the file cuts the picture. */
const noise = () =>
  sharp(
    Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251),
    {
      raw: { width: 64, height: 64, channels: 3 },
    },
  );

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-decode-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('decodeImage', () => {
  it('decodes lossless formats to their pixels, from bytes and from a path', async () => {
    const expected = { data: Buffer.from([...row, ...row]), width: 4, height: 2 };
    const png = await picture().png().toBuffer();
    expect(await decodeImage(png)).toEqual(expected);
    expect(await decodeImage(await picture().webp({ lossless: true }).toBuffer())).toEqual(expected);
    expect(await decodeImage(await picture().gif().toBuffer())).toEqual(expected);
    await writeFile(join(folder, 'picture.png'), png);
    expect(await decodeImage(join(folder, 'picture.png'))).toEqual(expected);
  });

  it('drops alpha without blending, and spreads grey over three channels', async () => {
    const rgba = await sharp(Uint8Array.from([10, 20, 30, 0, 40, 50, 60, 128]), {
      raw: { width: 2, height: 1, channels: 4 },
    })
      .png()
      .toBuffer();
    expect([...(await decodeImage(rgba)).data]).toEqual([10, 20, 30, 40, 50, 60]);
    const grey = await sharp(Uint8Array.from([7, 9]), { raw: { width: 2, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    expect([...(await decodeImage(grey)).data]).toEqual([7, 7, 7, 9, 9, 9]);
  });

  it('turns a picture as its EXIF orientation says', async () => {
    const turned = await picture().withMetadata({ orientation: 6 }).png().toBuffer();
    const { data, width, height } = await decodeImage(turned);
    expect([width, height]).toEqual([2, 4]);
    expect([...data]).toEqual([...RED, ...RED, ...RED, ...RED, ...BLUE, ...BLUE, ...BLUE, ...BLUE]);
  });

  it('inverts the inks of a CMYK picture', async () => {
    const cmyk = await picture().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
    const { data } = await decodeImage(cmyk);
    expect(data.length).toBe(4 * 2 * 3);
    expect(data[0]! - data[2]!).toBeGreaterThan(150);
    expect(data[11]! - data[9]!).toBeGreaterThan(80);
  });

  it('takes the first frame of an animation', async () => {
    const frames = sharp(Uint8Array.from([...row, ...row, ...row.map((value) => 255 - value), ...row]), {
      raw: { width: 4, height: 4, channels: 3, pageHeight: 2 },
    });
    const gif = await frames.gif().toBuffer();
    expect((await sharp(gif).metadata()).pages).toBe(2);
    expect((await decodeImage(gif)).data).toEqual(Buffer.from([...row, ...row]));
  });

  it('refuses formats that are not on the list, whatever they are called', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const tiff = await picture().tiff().toBuffer();
    const avif = await picture().avif().toBuffer();
    const text = Buffer.from('not an image at all');
    for (const bytes of [svg, tiff, avif, text, Buffer.alloc(0)]) {
      await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'IMAGE_FORMAT_UNSUPPORTED' });
    }
  });

  it('refuses a cut-off or damaged file of each format', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif'] as const) {
      const bytes = await noise().toFormat(format).toBuffer();
      for (const part of [0.3, 0.9]) {
        const cut = bytes.subarray(0, Math.floor(bytes.length * part));
        await expect(decodeImage(cut), `${format} ${part}`).rejects.toMatchObject({
          code: 'IMAGE_UNREADABLE',
        });
      }
      const head = bytes.subarray(0, 12);
      await expect(decodeImage(head), `${format} head`).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    }
  });

  it('looks at bytes and pixels before it decodes', async () => {
    const png = await noise().png().toBuffer();
    await expect(decodeImage(png, { maxBytes: 100, maxPixels: 1e6 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      expected: 'at most 100',
    });
    await expect(decodeImage(png, { maxBytes: 1e6, maxPixels: 4095 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      found: '64 × 64',
    });
    await writeFile(join(folder, 'noise.png'), png);
    const file = join(folder, 'noise.png');
    await expect(decodeImage(file, { maxBytes: 100, maxPixels: 1e6 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
    });
    const bomb = Buffer.from(png);
    bomb.writeUInt32BE(60_000, 16);
    bomb.writeUInt32BE(60_000, 20);
    await expect(decodeImage(bomb)).rejects.toMatchObject({ name: 'ClipError' });
  });

  it('says so when a path leads nowhere or to a folder', async () => {
    await expect(decodeImage(join(folder, 'none.png'))).rejects.toMatchObject({ code: 'IMAGE_UNREADABLE' });
    await expect(decodeImage(folder)).rejects.toThrow('not a regular file');
  });
});

describe('imageFormat', () => {
  it('recognises the allowed formats by their magic bytes', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'gif'] as const) {
      expect(imageFormat(await picture().toFormat(format).toBuffer())).toBe(format);
    }
    expect(imageFormat(new Uint8Array([0xff, 0xd8]))).toBeUndefined();
  });
});

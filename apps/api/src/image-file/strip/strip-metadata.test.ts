import type { ImageFormat } from '@clip-ts/clip';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Part } from './parts.js';
import { isWhole, strippedParts } from './strip-metadata.js';

const FORMATS = ['jpeg', 'png', 'webp', 'gif'] as const;
const SECRETS = /GPS|SecretCam|48\.8584|adobe:ns|x:xmpmeta|Photoshop|a comment/;

const join = (bytes: Buffer, parts: readonly Part[]) =>
  Buffer.concat(parts.map((part) => (Buffer.isBuffer(part) ? part : bytes.subarray(part.start, part.end))));

const strip = (bytes: Buffer, format: ImageFormat, orientation = 1) => {
  const parts = strippedParts(bytes, format, orientation);
  return parts && join(bytes, parts);
};

const noise = Buffer.from(Array.from({ length: 60 * 40 * 3 }, (_, index) => (index * 7919) % 251));

/** A picture with a place, a camera and an orientation, as sharp writes them. */
const photo = (format: Exclude<ImageFormat, 'gif'>, orientation = 6) =>
  sharp(noise, { raw: { width: 60, height: 40, channels: 3 } })
    .withExif({
      IFD0: { Make: 'SecretCam', Copyright: 'SecretCam owner', ImageDescription: 'GPS 48.8584 N' },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100', GPSLongitude: '0/1 7/1 4366/100' },
    })
    .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>48.8584</exif:GPSLatitude></x:xmpmeta>')
    .withIccProfile('p3')
    .withMetadata({ orientation })
    .toFormat(format)
    .toBuffer();

const pixelsOf = async (bytes: Buffer) =>
  (await sharp(bytes, { pages: -1 }).autoOrient().raw().toBuffer()).toString('base64');

const segment = (marker: number, data: string) => {
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([head, Buffer.from(data, 'latin1')]);
};

describe('stripping metadata', () => {
  it.each(['jpeg', 'png', 'webp'] as const)(
    '%s loses place, camera and XMP, keeps pixels, orientation and profile',
    async (format) => {
      const bytes = await photo(format);
      expect((await sharp(bytes).metadata()).exif).toBeDefined();
      const { orientation } = await sharp(bytes).metadata();
      const clean = strip(bytes, format, orientation)!;
      expect(clean.toString('latin1')).not.toMatch(SECRETS);
      const metadata = await sharp(clean).metadata();
      expect([metadata.xmp, metadata.iptc, metadata.orientation]).toEqual([
        undefined,
        undefined,
        orientation,
      ]);
      expect(metadata.icc).toEqual((await sharp(bytes).metadata()).icc);
      expect(await pixelsOf(clean)).toBe(await pixelsOf(bytes));
      // Doing it again changes nothing.
      expect(strip(clean, format, orientation)).toEqual(clean);
    },
  );

  it.each(FORMATS)('a plain %s stays the file that it is', async (format) => {
    const bytes = await sharp(noise, { raw: { width: 60, height: 40, channels: 3 } })
      .toFormat(format)
      .toBuffer();
    const clean = strip(bytes, format)!;
    expect(await pixelsOf(clean)).toBe(await pixelsOf(bytes));
    if (format === 'png' || format === 'gif')
      expect(isWhole(strippedParts(bytes, format, 1)!, bytes.length)).toBe(true);
  });

  it('JPEG: IPTC, comments, thumbnails, further images and what follows the end go, progressive scans stay', async () => {
    const plain = await sharp(noise, { raw: { width: 60, height: 40, channels: 3 } })
      .jpeg({ progressive: true })
      .toBuffer();
    const jfifThumbnail = segment(0xe0, 'JFXX\0\x10GPS');
    const extra = [
      segment(0xed, 'Photoshop 3.0\0GPS'),
      segment(0xfe, 'a comment'),
      segment(0xe2, 'MPF\0GPS'),
      segment(0xe5, 'GPS'),
      jfifThumbnail,
    ];
    const bytes = Buffer.concat([
      plain.subarray(0, 2),
      ...extra,
      plain.subarray(2),
      await photo('jpeg'),
      Buffer.from('GPS'),
    ]);
    const clean = strip(bytes, 'jpeg')!;
    expect(clean.toString('latin1')).not.toMatch(SECRETS);
    expect(await pixelsOf(clean)).toBe(await pixelsOf(plain));
  });

  it('PNG: text, time and private chunks go', async () => {
    const plain = await sharp(noise, { raw: { width: 60, height: 40, channels: 3 } })
      .png()
      .toBuffer();
    const chunk = (type: string) => Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from(`${type}GPSxxxx`)]);
    const bytes = Buffer.concat([
      plain.subarray(0, 33),
      ...['tEXt', 'iTXt', 'zTXt', 'tIME', 'eXIf', 'prVt'].map(chunk),
      plain.subarray(33),
      Buffer.from('GPS'),
    ]);
    expect(strip(bytes, 'png')).toEqual(plain);
  });

  it('GIF: comments, XMP and what follows the end go, the animation stays', async () => {
    const frames = Buffer.concat([noise, Buffer.from(noise).reverse()]);
    const plain = await sharp(frames, { raw: { width: 60, height: 80, channels: 3, pageHeight: 40 } })
      .gif({ delay: [50, 70], loop: 3 })
      .toBuffer();
    const end = plain.length - 1;
    const bytes = Buffer.concat([
      plain.subarray(0, end),
      Buffer.from('!\xfe\x09a comment\0!\xff\x0bXMP DataXMP\x03GPS\0', 'latin1'),
      plain.subarray(end),
      Buffer.from('GPS'),
    ]);
    expect(strip(bytes, 'gif')).toEqual(plain);
    expect(await sharp(strip(bytes, 'gif')).metadata()).toMatchObject({ pages: 2, loop: 3, delay: [50, 70] });
  });

  it('an animated WebP keeps its frames', async () => {
    const frames = Buffer.concat([noise, Buffer.from(noise).reverse()]);
    const bytes = await sharp(frames, { raw: { width: 60, height: 80, channels: 3, pageHeight: 40 } })
      .withExif({ IFD0: { Make: 'SecretCam' } })
      .webp({ loop: 2 })
      .toBuffer();
    const clean = strip(bytes, 'webp')!;
    expect(clean.toString('latin1')).not.toMatch(SECRETS);
    expect(await sharp(clean).metadata()).toMatchObject({ pages: 2, loop: 2 });
    expect(await pixelsOf(clean)).toBe(await pixelsOf(bytes));
  });

  it.each(FORMATS)('a hostile %s is refused or clean, and never takes long', async (format) => {
    const bytes =
      format === 'gif'
        ? await sharp(noise, { raw: { width: 60, height: 40, channels: 3 } })
            .gif()
            .toBuffer()
        : await photo(format);
    let state = 1;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const start = performance.now();
    for (let round = 0; round < 300; round++) {
      const copy = Buffer.from(bytes.subarray(0, round % 3 === 0 ? 1 + random(bytes.length) : bytes.length));
      for (let flips = random(4); flips > 0; flips--)
        copy[random(Math.min(copy.length, 400))] = [0, 255, random(256)][random(3)]!;
      const clean = strip(copy, format);
      if (clean !== undefined) expect(clean.length).toBeLessThanOrEqual(copy.length + 64);
    }
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it.each([
    ['a length beyond the end', 'jpeg', Buffer.from('ffd8ffe1ffff4578', 'hex')],
    ['a length of nothing', 'jpeg', Buffer.from('ffd8ffe10000ffd9', 'hex')],
    ['bytes between segments', 'jpeg', Buffer.from('ffd847505300ffd9', 'hex')],
    ['only a start', 'jpeg', Buffer.from('ffd8', 'hex')],
    [
      'thousands of segments',
      'jpeg',
      Buffer.concat([
        Buffer.from('ffd8', 'hex'),
        ...Array.from({ length: 5000 }, () => [segment(0xfe, 'x'), segment(0xdb, 'y')]).flat(),
      ]),
    ],
    ['a chunk of 4 GiB', 'png', Buffer.from('89504e470d0a1a0affffffff49484452', 'hex')],
    ['an unknown critical chunk', 'png', Buffer.from('89504e470d0a1a0a000000004750535300000000', 'hex')],
    ['no end', 'png', Buffer.from('89504e470d0a1a0a', 'hex')],
    ['a chunk beyond the end', 'webp', Buffer.from('RIFF\x20\0\0\0WEBPVP8 \xff\xff\xff\x7f', 'latin1')],
    [
      'an unknown chunk in a frame',
      'webp',
      Buffer.from(`RIFF\x2c\0\0\0WEBPANMF\x1c\0\0\0${'\0'.repeat(16)}EXIF\x04\0\0\0GPS!`, 'latin1'),
    ],
    ['no end', 'gif', Buffer.from('GIF89a\x01\0\x01\0\0\0\0', 'latin1')],
    ['an unknown block', 'gif', Buffer.from('GIF89a\x01\0\x01\0\0\0\0GPS', 'latin1')],
  ] as const)('%s in a %s leaves only the pixels', (_what, format, bytes) => {
    expect(strippedParts(bytes, format, 1)).toBeUndefined();
  });
});

/** Against libvips, whose pixels are PIL's. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type JpegOptions, type Sharp } from 'sharp';
import { describe, expect, it } from 'vitest';
import { GOLDEN } from '../../../test/golden-folders.js';
import { SafetensorsFile } from '../../safetensors/index.js';
import { decodeImage } from '../decode.js';
import { JpegDecoder } from './decoder.js';

const decoder = new JpegDecoder();

/** Coarse colours under grain: few coefficients in some blocks, many in others. */
async function picture(width: number, height: number, channels: 1 | 3 = 3): Promise<Sharp> {
  const noise = (w: number, h: number, sigma: number) => ({
    create: {
      width: w,
      height: h,
      channels: 3 as const,
      background: 'black',
      noise: { type: 'gaussian' as const, mean: 128, sigma },
    },
  });
  const coarse = await sharp(noise(7, 5, 90))
    .resize(width, height, { fit: 'fill' })
    .png()
    .toBuffer();
  const grain = await sharp(noise(width, Math.ceil(height / 2), 60))
    .png()
    .toBuffer();
  const image = sharp(coarse).composite([{ input: grain, left: 0, top: 0, blend: 'overlay' }]);
  return channels === 1 ? sharp(await image.png().toBuffer()).toColourspace('b-w') : image;
}

const jpeg = async (width: number, height: number, options: JpegOptions, channels: 1 | 3 = 3) =>
  (await picture(width, height, channels)).jpeg(options).toBuffer();

/** Width, height and pixels of both decoders. */
async function compared(bytes: Uint8Array) {
  const ours = decoder.decode(bytes);
  const theirs = await decodeImage(bytes).catch(() => undefined);
  const described = (image: typeof ours) =>
    image && [image.width, image.height, Buffer.from(image.data).toString('base64')];
  return { ours: described(ours), theirs: described(theirs) };
}

/** A file whose first component covers other parts of an MCU of as many blocks: other pixels, but well-formed. */
function resampled(bytes: Buffer, factors: number): Buffer {
  const frame = bytes.indexOf(Buffer.of(0xff, 0xc0));
  const changed = Buffer.from(bytes);
  changed[frame + 11] = factors;
  return changed;
}

describe('JpegDecoder', () => {
  it('gives the pixels of PIL: chroma at 4:2:2, restart markers anywhere, grey; and leaves 16-bit tables to libvips, which does too', async () => {
    const golden = await SafetensorsFile.open(join(GOLDEN, 'jpeg/golden.safetensors'));
    for (const [name, { shape }] of golden.tensors) {
      const bytes = await readFile(join(GOLDEN, 'jpeg', name));
      const expected = Uint8Array.from(await golden.readFloat32(name));
      const ours = decoder.decode(bytes);
      expect(ours === undefined, name).toBe(name === '16-bit-tables.jpg');
      for (const image of [ours ?? [], await decodeImage(bytes)].flat()) {
        expect([image.height, image.width, 3], name).toEqual(shape);
        expect(Buffer.compare(image.data, expected), name).toBe(0);
      }
    }
    await golden.close();
  });

  it('leaves to libvips what has chroma at 4:4:0, 4:1:1 or odder factors', async () => {
    const bytes = await jpeg(64, 64, { chromaSubsampling: '4:2:0' });
    const tall = await readFile(join(GOLDEN, 'jpeg/422.jpg'));
    for (const other of [resampled(bytes, 0x41), resampled(bytes, 0x14), resampled(tall, 0x12)])
      expect(decoder.decode(other)).toBeUndefined();
    expect((await decodeImage(resampled(bytes, 0x41))).width).toBe(64);
  });

  it('gives the pixels of libvips to the last bit, for every size of the last blocks and every kind of chroma', async () => {
    for (let size = 0; size < 17; size++) {
      for (const chromaSubsampling of ['4:4:4', '4:2:0']) {
        const bytes = await jpeg(40 + size, 56 - size, { quality: 30 + 4 * size, chromaSubsampling });
        const { ours, theirs } = await compared(bytes);
        expect(ours, `${size} ${chromaSubsampling}`).toEqual(theirs);
      }
    }
    const { ours, theirs } = await compared(await jpeg(101, 77, {}, 1));
    expect(ours).toEqual(theirs);
  });

  it('takes optimised Huffman tables and the extremes of quality', async () => {
    for (const quality of [1, 100]) {
      const { ours, theirs } = await compared(await jpeg(320, 240, { quality, optimiseCoding: true }));
      expect(ours).toEqual(theirs);
    }
  });

  it('leaves to libvips what is progressive, turned, CMYK, tiny or huge', async () => {
    const image = await picture(64, 48);
    const turned = await image.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const upright = await image.clone().withMetadata({ orientation: 1 }).jpeg().toBuffer();
    expect(decoder.decode(upright)).toBeDefined();
    for (const bytes of [
      turned,
      await image.clone().jpeg({ progressive: true }).toBuffer(),
      await image.clone().toColourspace('cmyk').jpeg().toBuffer(),
      await jpeg(6, 6, {}),
      await jpeg(2100, 2100, {}),
    ]) {
      expect(decoder.decode(bytes)).toBeUndefined();
    }
    expect(decoder.decode(upright, 64 * 48 - 1)).toBeUndefined();
  });

  it('gives nothing, and stays usable, for files cut short or with damaged bytes, unless libvips gives the same', async () => {
    const whole = await jpeg(96, 80, { quality: 85 });
    for (let cut = 0; cut < whole.length; cut += 37) {
      expect(decoder.decode(whole.subarray(0, cut)), `cut at ${cut}`).toBeUndefined();
    }
    let decoded = 0;
    for (let n = 0; n < 300; n++) {
      const damaged = Buffer.from(whole);
      const place = (n * 7919) % whole.length;
      damaged[place] = damaged[place]! ^ (1 + (n % 255));
      const { ours, theirs } = await compared(damaged);
      if (ours === undefined) continue;
      decoded++;
      expect(ours, `byte ${place}`).toEqual(theirs);
    }
    expect(decoded).toBeGreaterThan(0);
    const { ours, theirs } = await compared(whole);
    expect(ours).toEqual(theirs);
  });

  const photos = join(process.env.CLIP_TEST_DATA ?? '', 'flickr8k-coco/images/val2017');
  it.skipIf(!existsSync(photos))('gives the pixels of libvips for real photos', async () => {
    const names = (await readdir(photos)).slice(0, 100);
    let plain = 0;
    for (const name of names) {
      const bytes = await readFile(join(photos, name));
      const { ours, theirs } = await compared(bytes);
      if (ours === undefined) continue;
      plain++;
      expect(ours, name).toEqual(theirs);
    }
    expect(plain).toBeGreaterThan(90);
  });
});

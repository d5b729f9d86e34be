import sharp from 'sharp';
import type { JpegOptions, Metadata } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeMemory } from './decode-memory.js';

const picture = () => sharp({ create: { width: 100, height: 100, channels: 3, background: 'red' } });
/** Bytes a pixel, without the strips: of so small an image all rows, 8 more, and of a JPEG another 128. */
async function perPixel(file: Buffer): Promise<number> {
  const header = await sharp(file).metadata();
  return decodeMemory(file, header) / 10_000 - stripsOf(header);
}
function stripsOf({ format, channels, depth }: Metadata): number {
  const rows = format === 'jpeg' ? 100 + 128 + 8 : 100 + 8;
  return (rows / 100) * (depth === 'ushort' ? 2 * channels + 2 : channels);
}
/** The frame header's bytes from its sampling factors on. */
const atFrame = (jpeg: Buffer, marker: number) => jpeg.indexOf(Buffer.of(0xff, marker)) + 10;

describe('memory for decoding', () => {
  it('of a JPEG counts coefficients where several scans make the decoder keep them', async () => {
    const jpeg = (options: JpegOptions) => picture().jpeg(options).toBuffer();
    expect(await perPixel(await jpeg({}))).toBeCloseTo(3);
    expect(await perPixel(await jpeg({ progressive: true }))).toBeCloseTo(3 + 2 * 1.5);
    expect(await perPixel(await jpeg({ progressive: true, chromaSubsampling: '4:4:4' }))).toBeCloseTo(
      3 + 2 * 3,
    );
    const grey = await picture().toColourspace('b-w').jpeg({ progressive: true }).toBuffer();
    expect(await perPixel(grey)).toBeCloseTo(1 + 2);
  });

  it('of a JPEG is not fooled by factors that subsample nothing, by scans of one component, or by a broken frame', async () => {
    const full = await picture().jpeg({ progressive: true }).toBuffer();
    const header = await sharp(full).metadata();
    // 2 × 2 for each component is 1 × 1 for each.
    for (const component of [0, 1, 2]) full[atFrame(full, 0xc2) + 1 + 3 * component] = 0x22;
    const strips = stripsOf(header);
    expect(decodeMemory(full, header) / 10_000).toBeCloseTo(3 + 2 * 3 + strips);
    const scans = await picture().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
    scans[scans.indexOf(Buffer.of(0xff, 0xda)) + 4] = 1;
    expect(decodeMemory(scans, header) / 10_000).toBeCloseTo(3 + 2 * 3 + strips);
    expect(decodeMemory(full.subarray(0, 3), header) / 10_000).toBeCloseTo(3 + 2 * 4 + strips);
  });

  it('counts what other decoders hold whole, and an image that is turned once more', async () => {
    const deep = () => picture().ensureAlpha().toColourspace('rgb16');
    const turned = { orientation: 6 };
    expect(await perPixel(await picture().png().toBuffer())).toBeCloseTo(3);
    expect(await perPixel(await picture().ensureAlpha().png({ progressive: true }).toBuffer())).toBeCloseTo(
      4 + 3,
    );
    expect(await perPixel(await picture().jpeg().withMetadata(turned).toBuffer())).toBeCloseTo(3 + 3);
    expect(
      await perPixel(await deep().png({ progressive: true }).withMetadata(turned).toBuffer()),
    ).toBeCloseTo(16);
    expect(await perPixel(await deep().png().toBuffer())).toBeCloseTo(3);
    const cmyk = () => picture().toColourspace('cmyk');
    expect(await perPixel(await cmyk().jpeg().toBuffer())).toBeCloseTo(4);
    expect(await perPixel(await picture().webp().toBuffer())).toBeCloseTo(11);
    expect(await perPixel(await picture().gif().toBuffer())).toBeCloseTo(11);
  });

  it('of an image of few long rows is many times its pixels, and of a tall one little more than they are', async () => {
    const bytesOf = async (width: number, height: number) => {
      const file = await sharp({ create: { width, height, channels: 3, background: 'red' } })
        .png()
        .toBuffer();
      return decodeMemory(file, await sharp(file).metadata()) / (width * height);
    };
    // Measured, 16 megapixels: 30, 12 and 3.0.
    expect(await bytesOf(160_000, 1)).toBeCloseTo(3 + 27);
    expect(await bytesOf(40_000, 4)).toBeCloseTo(3 + 9);
    expect(await bytesOf(10, 60_000)).toBeLessThan(3.1);
  });
});

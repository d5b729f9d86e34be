import sharp from 'sharp';
import type { JpegOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeMemory } from './decode-memory.js';

const picture = () => sharp({ create: { width: 100, height: 100, channels: 3, background: 'red' } });
/** Bytes a pixel, without the half for strips. */
async function perPixel(file: Buffer): Promise<number> {
  return decodeMemory(file, await sharp(file).metadata()) / 10_000 - 0.5;
}
/** The frame header's bytes from its sampling factors on. */
const atFrame = (jpeg: Buffer, marker: number) => jpeg.indexOf(Buffer.of(0xff, marker)) + 10;

describe('memory for decoding', () => {
  it('of a JPEG counts coefficients where several scans make the decoder keep them', async () => {
    const jpeg = (options: JpegOptions) => picture().jpeg(options).toBuffer();
    expect(await perPixel(await jpeg({}))).toBe(3);
    expect(await perPixel(await jpeg({ progressive: true }))).toBe(3 + 2 * 1.5);
    expect(await perPixel(await jpeg({ progressive: true, chromaSubsampling: '4:4:4' }))).toBe(3 + 2 * 3);
    const grey = await picture().toColourspace('b-w').jpeg({ progressive: true }).toBuffer();
    expect(await perPixel(grey)).toBe(1 + 2);
  });

  it('of a JPEG is not fooled by factors that subsample nothing, by scans of one component, or by a broken frame', async () => {
    const full = await picture().jpeg({ progressive: true }).toBuffer();
    const header = await sharp(full).metadata();
    // 2 × 2 for each component is 1 × 1 for each.
    for (const component of [0, 1, 2]) full[atFrame(full, 0xc2) + 1 + 3 * component] = 0x22;
    expect(decodeMemory(full, header) / 10_000).toBe(3 + 2 * 3 + 0.5);
    const scans = await picture().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
    scans[scans.indexOf(Buffer.of(0xff, 0xda)) + 4] = 1;
    expect(decodeMemory(scans, header) / 10_000).toBe(3 + 2 * 3 + 0.5);
    expect(decodeMemory(full.subarray(0, 3), header) / 10_000).toBe(3 + 2 * 4 + 0.5);
  });

  it('counts what other decoders hold whole, and an image that is turned once more', async () => {
    const deep = () => picture().ensureAlpha().toColourspace('rgb16');
    const turned = { orientation: 6 };
    expect(await perPixel(await picture().png().toBuffer())).toBe(3);
    expect(await perPixel(await picture().ensureAlpha().png({ progressive: true }).toBuffer())).toBe(4 + 3);
    expect(await perPixel(await picture().jpeg().withMetadata(turned).toBuffer())).toBe(3 + 3);
    expect(await perPixel(await deep().png({ progressive: true }).withMetadata(turned).toBuffer())).toBe(16);
    expect(await perPixel(await picture().webp().toBuffer())).toBe(11);
    expect(await perPixel(await picture().gif().toBuffer())).toBe(11);
  });
});

import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { inspectImage } from './image-format.js';

const limits = { MAX_IMAGE_BYTES: 1_000_000, MAX_IMAGE_PIXELS: 10_000 };
const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'red' } });

describe('inspecting an image', () => {
  it.each(['jpeg', 'png', 'webp', 'gif'] as const)('knows %s by its bytes', async (format) => {
    const bytes = await picture(20, 10).toFormat(format).toBuffer();
    expect(await inspectImage(bytes, limits)).toEqual({
      mediaType: `image/${format}`,
      width: 20,
      height: 10,
    });
  });

  it('gives the size as displayed when EXIF turns the image', async () => {
    const bytes = await picture(20, 10).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await inspectImage(bytes, limits)).toMatchObject({ width: 10, height: 20 });
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

  it('takes half as many pixels with 16 bits a channel', async () => {
    const deep = (side: number) => picture(side, side).toColourspace('rgb16').png().toBuffer();
    const most = Math.floor(Math.sqrt(limits.MAX_IMAGE_PIXELS / 2));
    await expect(inspectImage(await deep(most), limits)).resolves.toMatchObject({ width: most });
    const tooMany = inspectImage(await deep(most + 2), limits);
    await expect(tooMany).rejects.toMatchObject({
      code: 'too_many_pixels',
      message: expect.stringContaining('16 bits') as string,
    });
  });

  it('refuses TIFF, which browsers cannot show', async () => {
    const bytes = await picture(4, 4).tiff().toBuffer();
    await expect(inspectImage(bytes, limits)).rejects.toMatchObject({ code: 'unsupported_image_format' });
  });
});

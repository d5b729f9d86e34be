import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { parsePreprocessorConfig } from './processor-config.js';
import { ImageProcessor } from './image-processor.js';

const flat = (width: number, height: number, value: number) => ({
  data: new Uint8Array(width * height * 3).fill(value),
  width,
  height,
});

describe('parsePreprocessorConfig', () => {
  it('reads the old form of each class: one number for a size, absent fields', () => {
    expect(
      parsePreprocessorConfig({ feature_extractor_type: 'ViTFeatureExtractor', size: 96 }),
    ).toMatchObject({
      resize: { height: 96, width: 96 },
      crop: null,
      filter: 'bilinear',
      normalize: { mean: [0.5, 0.5, 0.5] },
      height: 96,
    });
    const clip = { feature_extractor_type: 'CLIPFeatureExtractor', size: 224, crop_size: 224, resample: 3 };
    expect(parsePreprocessorConfig(clip)).toMatchObject({
      resize: { shortestEdge: 224 },
      crop: { height: 224, width: 224 },
      filter: 'bicubic',
      cropRounding: 'down',
      rescaleFactor: 1 / 255,
    });
  });

  it('crops a fraction for ConvNeXT below 384 pixels, and not at all from there on', () => {
    const convnext = (size: number) =>
      parsePreprocessorConfig({
        image_processor_type: 'ConvNextImageProcessor',
        size: { shortest_edge: size },
      });
    expect(convnext(224)).toMatchObject({ resize: { shortestEdge: 256 }, crop: { height: 224, width: 224 } });
    expect(convnext(384)).toMatchObject({ resize: { height: 384, width: 384 }, crop: null });
  });

  it.each([
    [{ image_processor_type: 'OwlViTImageProcessor' }, 'found OwlViTImageProcessor'],
    [{ do_pad: true }, 'do_pad is not supported'],
    [{ image_processor_type: 'CLIPImageProcessor', do_center_crop: false }, 'different sizes'],
    [{ size: { longest_edge: 200 } }, 'size is not in a form'],
    [{ size: -3 }, 'size'],
    [{ resample: 9 }, 'resample'],
    [{ image_mean: [1, 2] }, 'image_mean'],
    ['text', 'the file'],
  ])('refuses %j', (config, message) => {
    expect(() => parsePreprocessorConfig(config)).toThrow(message);
  });
});

describe('ImageProcessor', () => {
  it('counts the pixels that it decodes outside of its own memory: none of a plain JPEG', async () => {
    const processor = new ImageProcessor({ size: 8 });
    const picture = sharp({ create: { width: 20, height: 10, channels: 3, background: 'red' } });
    await processor.pixelValues(await picture.jpeg().toBuffer());
    expect(processor.collectablePixels).toBe(0);
    for (const file of [picture.png(), picture.jpeg({ progressive: true })]) {
      await processor.pixelValues(await file.toBuffer());
    }
    expect(processor.collectablePixels).toBe(400);
  });

  it('rescales and normalises into planes, at an offset when asked', () => {
    const processor = new ImageProcessor({
      size: { height: 1, width: 2 },
      image_mean: [0, 0.5, 1],
      image_std: [1, 0.5, 2],
    });
    const pixels = Uint8Array.from([0, 255, 255, 51, 0, 0]);
    const expected = [0, 0.2, 1, -1, 0, -0.5].map(Math.fround);
    expect([...processor.normalize(pixels)]).toEqual(expected);
    const batch = new Float32Array(8);
    processor.normalize(pixels, batch, 2);
    expect([...batch]).toEqual([0, 0, ...expected]);
    expect(() => processor.normalize(new Uint8Array(3))).toThrow('6 bytes expected, found 3');
  });

  it('leaves out the steps that are turned off', () => {
    const off = { do_resize: false, do_rescale: false, do_normalize: false };
    const processor = new ImageProcessor({
      ...off,
      do_center_crop: true,
      crop_size: { height: 2, width: 2 },
    });
    expect([...processor.normalize(processor.resize(flat(5, 3, 200)))]).toEqual(Array(12).fill(200));
  });

  it('pads with black where the picture is smaller than the crop', () => {
    const processor = new ImageProcessor({
      do_resize: false,
      do_center_crop: true,
      crop_size: { height: 2, width: 4 },
    });
    const pixels = processor.resize(flat(1, 2, 9));
    expect([...pixels].filter((_, i) => i % 3 === 0)).toEqual([0, 0, 9, 0, 0, 0, 9, 0]);
  });

  it('resizes extreme shapes without building the whole', () => {
    const processor = new ImageProcessor({ image_processor_type: 'CLIPImageProcessor' });
    expect(processor.resize(flat(100_000, 1, 3)).length).toBe(224 * 224 * 3);
    expect(processor.resize(flat(1, 1, 3)).every((value) => value === 3)).toBe(true);
  });

  it('stretches a part of an image as if it had been cut out first, with every filter and at every edge', () => {
    const [width, height] = [61, 47];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7919) % 251);
    const boxes = [
      { left: 0, top: 0, width, height },
      { left: 40, top: 30, width: 21, height: 17 },
      { left: 0, top: 46, width: 61, height: 1 },
      { left: 60, top: 0, width: 1, height: 47 },
      { left: 11, top: 3, width: 9, height: 40 },
    ];
    for (const resample of [0, 1, 2, 3]) {
      const processor = new ImageProcessor({
        image_processor_type: 'ViTImageProcessor',
        size: { height: 24, width: 20 },
        resample,
      });
      for (const box of boxes) {
        const cut = new Uint8Array(box.width * box.height * 3);
        for (let y = 0; y < box.height; y++) {
          const from = ((box.top + y) * width + box.left) * 3;
          cut.set(data.subarray(from, from + box.width * 3), y * box.width * 3);
        }
        const expected = processor.resize({ data: cut, width: box.width, height: box.height });
        expect(processor.resizeBox({ data, width, height }, box), `${resample}`).toEqual(expected);
      }
    }
  });

  it('says which file is missing or broken', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'clip-processor-'));
    await expect(ImageProcessor.load(folder)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    await writeFile(join(folder, 'preprocessor_config.json'), '{');
    await expect(ImageProcessor.load(folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await rm(folder, { recursive: true });
  });
});

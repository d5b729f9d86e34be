/** Pixels and pixel_values of transformers' image processors, on real photos and odd images. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { goldenFolders } from '../../test/golden-folders.js';
import { SafetensorsFile } from '../safetensors/index.js';
import { ImageProcessor } from './image-processor.js';

const testData = process.env.CLIP_TEST_DATA;
/** Drawn images lie beside the folders, photos in another place. */
const imagePath = (folder: string, name: string) => {
  const drawn = join(dirname(folder), name);
  return existsSync(drawn) ? drawn : join(testData!, 'clip-preprocess/images', name);
};

/** [H, W, 3] → [3, H, W] */
function planes(pixels: Uint8Array): Uint8Array {
  const plane = pixels.length / 3;
  return pixels.map((_, i) => pixels[(i % plane) * 3 + Math.floor(i / plane)]!);
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

describe('ImageProcessor on transformers’ own results', () => {
  it.each(goldenFolders('preprocess'))('$name: every pixel is the same', async ({ path: folder }) => {
    const processor = await ImageProcessor.load(folder);
    const golden = await SafetensorsFile.open(join(folder, 'golden.safetensors'));
    for (const name of golden.tensors.keys()) {
      const [, kind, file] = /^(resized|pixel_values)\.(.+)$/.exec(name)!;
      const expected = await golden.readFloat32(name);
      if (kind === 'resized') {
        const pixels = await processor.resizedPixels(imagePath(folder, file!));
        expect(largestDifference(planes(pixels), expected), name).toBe(0);
      } else {
        const values = await processor.pixelValues(imagePath(folder, file!));
        expect(largestDifference(values, expected), name).toBeLessThanOrEqual(2.5e-7);
      }
    }
    await golden.close();
  });

  it.skipIf(testData === undefined)(
    'the input that CLIP ViT-B/32 was published with: every value is the same',
    async () => {
      const config = { image_processor_type: 'CLIPImageProcessorFast', size: { shortest_edge: 224 } };
      const processor = new ImageProcessor(config);
      const root = join(testData!, 'clip-preprocess');
      const golden = await SafetensorsFile.open(join(root, 'golden.safetensors'));
      const files = await readdir(join(root, 'images'));
      expect(files).toHaveLength(7);
      for (const file of files) {
        const expected = await golden.readFloat32(`${file.replace('.jpg', '')}.pixel_values`);
        const values = await processor.pixelValues(join(root, 'images', file));
        expect(largestDifference(values, expected), file).toBeLessThanOrEqual(2.5e-7);
      }
      await golden.close();
    },
  );
});

import { ImageProcessor } from '@clip-ts/clip/preprocess';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../random.js';
import { writePixelValues } from './image-task.js';
import { cropBox, drawView, tonesOf } from './view.js';

const SIDE = 32;
const processor = new ImageProcessor({
  image_processor_type: 'ViTImageProcessor',
  size: { height: SIDE, width: SIDE },
  do_normalize: false,
});

/** Twice as wide as the input of the model: dark left half, bright right half. */
function picture(): { data: Uint8Array; width: number; height: number } {
  const [width, height] = [4 * SIDE, 2 * SIDE];
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.fill(i % width < width / 2 ? 60 : 180, i * 3, i * 3 + 3);
  return { data, width, height };
}

/** pixel_values of the picture in the view of a seed. */
function shown(seed: number, kind: 'mild' | 'photo'): Float32Array {
  const out = new Float32Array(3 * SIDE * SIDE);
  writePixelValues(picture(), drawView(createRandom(seed), kind), processor, out, 0);
  return out;
}

/** Whether the first pixel is darker than the last of its row. */
const darkLeft = (values: Float32Array) => values[0]! < values[SIDE - 1]!;
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

describe('views', () => {
  it('mild: never swaps left and right; photo: mirrors about half of the images', () => {
    expect(seeds.every((seed) => darkLeft(shown(seed, 'mild')))).toBe(true);
    const mirrored = seeds.filter((seed) => !darkLeft(shown(seed, 'photo'))).length;
    expect(mirrored).toBeGreaterThan(75);
    expect(mirrored).toBeLessThan(125);
  });

  it('crop between half and all of the area, with a bounded change of shape, inside the image', () => {
    const image = { width: 640, height: 480 };
    for (const seed of seeds) {
      const { left, top, width, height } = cropBox(drawView(createRandom(seed), 'photo'), image);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(left + width).toBeLessThanOrEqual(image.width);
      expect(top + height).toBeLessThanOrEqual(image.height);
      const area = (width * height) / (image.width * image.height);
      expect(area).toBeGreaterThan(0.49);
      const stretch = width / image.width / (height / image.height);
      expect(Math.abs(Math.log(stretch))).toBeLessThan(Math.log(1.26));
    }
  });

  it('take the pixels of the crop from the original, not from a shrunken image', () => {
    // Columns of one pixel, black and white: shrunk first, they would be grey for good.
    const [width, height] = [4 * SIDE, 4 * SIDE];
    const data = new Uint8Array(width * height * 3);
    for (let i = 0; i < width * height; i++) data.fill(i % 2 === 0 ? 0 : 255, i * 3, i * 3 + 3);
    const view = {
      crop: { width: 1 / 4, height: 1 / 4, left: 0, top: 0 },
      mirrored: false,
      contrast: 1,
      shift: 0,
    };
    const out = new Float32Array(3 * SIDE * SIDE);
    writePixelValues({ data, width, height }, view, processor, out, 0);
    expect([...out.subarray(0, 4)]).toEqual([0, 1, 0, 1]);
  });

  it('change brightness and contrast about mid-grey and clip at black and white', () => {
    const view = { ...drawView(createRandom(1), 'photo'), contrast: 1.2, shift: 127.5 * (1 - 1.2) + 25.5 };
    const tones = tonesOf(view);
    expect([tones[0], tones[127], tones[255]]).toEqual([0, 152, 255]);
  });

  it('depend on their random numbers alone', () => {
    expect(shown(1, 'photo')).toEqual(shown(1, 'photo'));
    expect(shown(2, 'photo')).not.toEqual(shown(1, 'photo'));
  });
});

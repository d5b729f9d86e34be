import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.js';
import { augment } from './augment.js';

const SIDE = 32;

/** Dark left half, bright right half, red at the top and blue at the bottom. */
function picture(): Uint8Array {
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const level = x < SIDE / 2 ? 60 : 180;
      pixels.set([y < SIDE / 2 ? level : 0, 0, y < SIDE / 2 ? 0 : level], (y * SIDE + x) * 3);
    }
  }
  return pixels;
}

const mean = (pixels: Uint8Array, channel: number, columns: (x: number) => boolean) => {
  let [sum, count] = [0, 0];
  for (let i = 0; i < SIDE * SIDE; i++) {
    if (!columns(i % SIDE)) continue;
    sum += pixels[i * 3 + channel]!;
    count++;
  }
  return sum / count;
};

describe('augmentation', () => {
  it('mild: never swaps left and right or top and bottom', () => {
    for (let seed = 0; seed < 50; seed++) {
      const changed = augment(picture(), SIDE, SIDE, createRandom(seed), 'mild');
      expect(mean(changed, 0, (x) => x < SIDE / 4)).toBeLessThan(
        mean(changed, 0, (x) => x >= (3 * SIDE) / 4),
      );
      const [top, bottom] = [changed.subarray(0, 3), changed.subarray(changed.length - 3)];
      expect(top[0]).toBeGreaterThan(top[2]!);
      expect(bottom[2]).toBeGreaterThan(bottom[0]!);
    }
  });

  it('photo: mirrors about half of the images', () => {
    let mirrored = 0;
    for (let seed = 0; seed < 200; seed++) {
      const changed = augment(picture(), SIDE, SIDE, createRandom(seed), 'photo');
      const [left, right] = [mean(changed, 0, (x) => x < 4), mean(changed, 0, (x) => x >= SIDE - 4)];
      if (left > right) mirrored++;
    }
    expect(mirrored).toBeGreaterThan(75);
    expect(mirrored).toBeLessThan(125);
  });

  it('depends on its random numbers alone and leaves the input as it is', () => {
    const pixels = picture();
    const first = augment(pixels, SIDE, SIDE, createRandom(1), 'photo');
    expect(augment(pixels, SIDE, SIDE, createRandom(1), 'photo')).toEqual(first);
    expect(augment(pixels, SIDE, SIDE, createRandom(2), 'photo')).not.toEqual(first);
    expect(pixels).toEqual(picture());
  });
});

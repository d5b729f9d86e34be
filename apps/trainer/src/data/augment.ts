/**
 * Random changes to an image: a crop of most of it, brightness, contrast, and for photos a horizontal flip half
 * of the time.
 */
import type { Augmentation } from '../config/training-config.js';
import type { Random } from '../random.js';

interface Strength {
  /** Of the crop, as a fraction of the image. */
  smallestArea: number;
  /** Largest factor on the crop's width over its height. */
  aspect: number;
  brightness: number;
  contrast: number;
  /** Fraction of the images that are mirrored. */
  mirrored: number;
}

const STRENGTHS: Record<Exclude<Augmentation, 'none'>, Strength> = {
  mild: { smallestArea: 0.8, aspect: 1.1, brightness: 0.12, contrast: 0.12, mirrored: 0 },
  photo: { smallestArea: 0.5, aspect: 1.25, brightness: 0.2, contrast: 0.2, mirrored: 0.5 },
};

/** A new [H, W, 3] image. */
export function augment(
  pixels: Uint8Array,
  height: number,
  width: number,
  random: Random,
  kind: Exclude<Augmentation, 'none'>,
): Uint8Array {
  const strength = STRENGTHS[kind];
  const area = random.between(strength.smallestArea, 1);
  const stretch = Math.log(strength.aspect);
  const aspect = Math.exp(random.between(-stretch, stretch));
  const cropHeight = Math.min(1, Math.sqrt(area / aspect)) * height;
  const cropWidth = Math.min(1, Math.sqrt(area * aspect)) * width;
  const top = random.uniform() * (height - cropHeight);
  const left = random.uniform() * (width - cropWidth);
  const contrast = 1 + random.between(-strength.contrast, strength.contrast);
  const shift = 255 * random.between(-strength.brightness, strength.brightness) + 127.5 * (1 - contrast);
  const mirror = random.uniform() < strength.mirrored;
  const out = new Uint8Array(height * width * 3);
  const clamp = (position: number, size: number) => Math.min(Math.max(position, 0), size - 1);
  for (let y = 0; y < height; y++) {
    const sy = clamp(top + ((y + 0.5) * cropHeight) / height - 0.5, height);
    const y0 = Math.floor(sy);
    const y1 = Math.min(y0 + 1, height - 1);
    const fy = sy - y0;
    for (let x = 0; x < width; x++) {
      const sx = clamp(left + ((x + 0.5) * cropWidth) / width - 0.5, width);
      const x0 = Math.floor(sx);
      const x1 = Math.min(x0 + 1, width - 1);
      const fx = sx - x0;
      for (let c = 0; c < 3; c++) {
        const above = pixels[(y0 * width + x0) * 3 + c]! * (1 - fx) + pixels[(y0 * width + x1) * 3 + c]! * fx;
        const below = pixels[(y1 * width + x0) * 3 + c]! * (1 - fx) + pixels[(y1 * width + x1) * 3 + c]! * fx;
        const value = (above * (1 - fy) + below * fy) * contrast + shift;
        out[(y * width + (mirror ? width - 1 - x : x)) * 3 + c] = Math.max(
          0,
          Math.min(255, Math.round(value)),
        );
      }
    }
  }
  return out;
}

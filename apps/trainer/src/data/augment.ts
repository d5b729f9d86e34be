/**
 * Changes to an image that leave its caption true: a random crop of most of it, brightness, contrast. Never a flip or a
 * turn, which would make "left of" a lie.
 */
import type { Random } from '../random.js';

const SMALLEST_AREA = 0.8;
const ASPECT = 1.1;
const BRIGHTNESS = 0.12;
const CONTRAST = 0.12;

/** A new [H, W, 3] image. */
export function augment(pixels: Uint8Array, height: number, width: number, random: Random): Uint8Array {
  const area = random.between(SMALLEST_AREA, 1);
  const aspect = Math.exp(random.between(-Math.log(ASPECT), Math.log(ASPECT)));
  const cropHeight = Math.min(1, Math.sqrt(area / aspect)) * height;
  const cropWidth = Math.min(1, Math.sqrt(area * aspect)) * width;
  const top = random.uniform() * (height - cropHeight);
  const left = random.uniform() * (width - cropWidth);
  const contrast = 1 + random.between(-CONTRAST, CONTRAST);
  const shift = 255 * random.between(-BRIGHTNESS, BRIGHTNESS) + 127.5 * (1 - contrast);
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
        out[(y * width + x) * 3 + c] = Math.max(0, Math.min(255, Math.round(value)));
      }
    }
  }
  return out;
}

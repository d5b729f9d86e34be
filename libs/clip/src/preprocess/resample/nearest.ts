/** Resizing by picking the pixel under each output pixel's centre. */
import type { SourceImage, Window } from './window.js';

/** The `window` of `image` resized to width × height. @returns pixels [window.height, window.width, 3] */
export function nearest(image: SourceImage, width: number, height: number, window: Window): Uint8Array {
  const columns = nearestPositions(image.width, width, window.left, window.width);
  const rows = nearestPositions(image.height, height, window.top, window.height);
  const out = new Uint8Array(window.width * window.height * 3);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * (image.stride ?? image.width) + column) * 3;
      out[to++] = image.data[from]!;
      out[to++] = image.data[from + 1]!;
      out[to++] = image.data[from + 2]!;
    }
  }
  return out;
}

/** The input position under each output position; summed step by step as PIL does, for the same rounding. */
function nearestPositions(inputSize: number, outputSize: number, start: number, length: number): Int32Array {
  const scale = inputSize / outputSize;
  const positions = new Int32Array(length);
  let position = scale * 0.5;
  for (let i = 0; i < start; i++) position += scale;
  for (let i = 0; i < length; i++, position += scale)
    positions[i] = Math.min(inputSize - 1, Math.trunc(position));
  return positions;
}

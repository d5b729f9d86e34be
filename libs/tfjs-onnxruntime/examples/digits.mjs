/**
 * A stand-in for MNIST that needs no download: 28×28 images of the digits as a seven-segment display shows them,
 * shifted, scaled in brightness and noisy. Letters: N images.
 */

/** The lit segments of each digit: a top, b upper right, c lower right, d bottom, e lower left, f upper left, g middle. */
const DIGITS = ['abcdef', 'bc', 'abged', 'abgcd', 'fgbc', 'afgcd', 'afgedc', 'abc', 'abcdefg', 'abcdfg'];

/** Rectangles [x, y, width, height] on a 12×20 cell. @type {Record<string, [number, number, number, number]>} */
const SEGMENTS = {
  a: [2, 0, 8, 2],
  b: [10, 2, 2, 7],
  c: [10, 11, 2, 7],
  d: [2, 18, 8, 2],
  e: [0, 11, 2, 7],
  f: [0, 2, 2, 7],
  g: [2, 9, 8, 2],
};

export const SIDE = 28;

/** A seedable generator (mulberry32), uniform in [0, 1). @param {number} seed */
function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * `count` images with their labels.
 * @param {number} count
 * @param {number} seed
 * @returns {{ pixels: Float32Array, labels: Int32Array }} pixels [N, 28, 28, 1] in 0…1, labels [N] in 0…9
 */
export function makeDigits(count, seed) {
  const random = generator(seed);
  const pixels = new Float32Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const digit = Math.floor(random() * 10);
    labels[n] = digit;
    const left = 4 + Math.floor(random() * 9);
    const top = 2 + Math.floor(random() * 5);
    const brightness = 0.5 + 0.5 * random();
    const image = pixels.subarray(n * SIDE * SIDE, (n + 1) * SIDE * SIDE);
    for (let i = 0; i < image.length; i++) image[i] = 0.25 * random();
    for (const name of DIGITS[digit] ?? '') {
      const [x, y, width, height] = SEGMENTS[name] ?? [0, 0, 0, 0];
      for (let row = top + y; row < top + y + height; row++)
        image.fill(brightness, row * SIDE + left + x, row * SIDE + left + x + width);
    }
  }
  return { pixels, labels };
}

/** Random numbers from a seed, and tensors, sizes and choices drawn from them. */

let random = 0;

/** All that is drawn from now on follows from this number. @param {number} seed */
export function setSeed(seed) {
  random = seed >>> 0;
}

/** Given to setSeed, it makes the same draws again. */
export const currentSeed = () => random;

/** In [0, 1); mulberry32. */
export function next() {
  random = (random + 0x6d2b79f5) >>> 0;
  let t = Math.imul(random ^ (random >>> 15), 1 | random);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
/** @param {number} from @param {number} to both included */
export const integer = (from, to) => from + Math.floor(next() * (to - from + 1));
/** @template T @param {readonly T[]} values @returns {T} */
export const oneOf = (values) => /** @type {T} */ (values[integer(0, values.length - 1)]);
/** A size: often one at which something ends, now and then a large one. */
export const size = (most = 300) =>
  oneOf([0, 1, 1, 2, 3, 15, 16, 17, 31, 33, integer(1, 70), integer(1, most)]);

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-42, 3e38, -3e38];
/** @typedef {{ shape: number[], data: Float32Array }} Tensor */

/** An array at any place of a buffer that a float32 may have. @param {number} length */
const anywhere = (length) => new Float32Array(length + 8).subarray(integer(0, 8)).subarray(0, length);

/** A copy at another place. @param {Tensor} original @returns {Tensor} */
export function moved({ shape, data }) {
  const copy = anywhere(data.length);
  copy.set(data);
  return { shape, data: copy };
}

/** Numbers at any place; a wild tensor has some that are not finite, or nearly so. @param {number[]} shape @param {boolean} wild @returns {Tensor} */
export function tensor(shape, wild, positive = false) {
  const length = shape.reduce((n, d) => n * d, 1);
  const data = anywhere(length);
  for (let i = 0; i < length; i++) data[i] = positive ? 0.1 + next() : 6 * next() - 3;
  if (wild)
    for (let n = integer(1, 3); n > 0 && length > 0; n--) data[integer(0, length - 1)] = oneOf(SPECIAL);
  return { shape, data };
}

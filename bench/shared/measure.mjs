/** Shared by all comparisons of timings. */

/** @param {readonly number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (/** @type {number} */ i) => sorted[i] ?? NaN;
  return (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2;
}

/** Lets the threads of a side that has just run stop spinning. @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

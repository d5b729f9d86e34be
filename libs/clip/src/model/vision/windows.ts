/**
 * The index arithmetic of Swin: which token goes into which window, and which tokens a shift brings together.
 * h × w grid, M window side, N = M².
 */

/** Added to the attention score of two tokens from different regions. */
const APART = -100;

/** [N·N] rows of the bias table: the offset between two tokens of a window, as one number. */
export function relativePositionIndex(M: number): Int32Array {
  const N = M * M;
  const index = new Int32Array(N * N);
  for (let a = 0; a < N; a++) {
    for (let b = 0; b < N; b++) {
      const dy = Math.floor(a / M) - Math.floor(b / M) + M - 1;
      const dx = (a % M) - (b % M) + M - 1;
      index[a * N + b] = dy * (2 * M - 1) + dx;
    }
  }
  return index;
}

/** The grid's tokens window by window, after a cyclic shift up and left; h and w are multiples of M. */
export function windowOrder(h: number, w: number, M: number, shift: number): Int32Array {
  const order = new Int32Array(h * w);
  eachWindowToken(h, w, M, (slot, y, x) => {
    order[slot] = ((y + shift) % h) * w + ((x + shift) % w);
  });
  return order;
}

/** [windows, N, N]: 0 between tokens that were neighbours before the shift, else far below every score. */
export function shiftMask(h: number, w: number, M: number, shift: number): Float32Array {
  const N = M * M;
  const region = (position: number, length: number) =>
    position < length - M ? 0 : position < length - shift ? 1 : 2;
  const regions = new Int32Array(h * w);
  eachWindowToken(h, w, M, (slot, y, x) => {
    regions[slot] = 3 * region(y, h) + region(x, w);
  });
  const mask = new Float32Array(h * w * N);
  for (let slot = 0; slot < h * w; slot++) {
    const first = slot - (slot % N);
    for (let other = 0; other < N; other++) {
      if (regions[slot] !== regions[first + other]) mask[slot * N + other] = APART;
    }
  }
  return mask;
}

/** The grid's tokens in an order where every four are a 2 × 2 patch, column by column; h and w are even. */
export function mergeOrder(h: number, w: number): Int32Array {
  const order = new Int32Array(h * w);
  let slot = 0;
  for (let y = 0; y < h; y += 2) {
    for (let x = 0; x < w; x += 2) {
      for (const [dy, dx] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ] as const)
        order[slot++] = (y + dy) * w + x + dx;
    }
  }
  return order;
}

/** Calls back with each token's place in window order and in the grid. */
function eachWindowToken(
  h: number,
  w: number,
  M: number,
  visit: (slot: number, y: number, x: number) => void,
): void {
  let slot = 0;
  for (let top = 0; top < h; top += M)
    for (let left = 0; left < w; left += M)
      for (let y = top; y < top + M; y++) for (let x = left; x < left + M; x++) visit(slot++, y, x);
}

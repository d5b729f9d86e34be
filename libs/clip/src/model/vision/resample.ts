/**
 * Resampling a grid of position embeddings to another size, as torch's bicubic `interpolate` does
 * (align_corners false, no antialiasing, a = -0.75): a fixed linear map, applied as a matrix product.
 */
import * as tf from '@tensorflow/tfjs-core';

const A = -0.75;

/**
 * @param grid [h·w, D], row-major
 * @returns [H·W, D]
 */
export function resampleGrid(
  grid: tf.Tensor,
  from: readonly [number, number],
  to: readonly [number, number],
): tf.Tensor {
  const rows = bicubicMatrix(from[0], to[0]);
  const columns = bicubicMatrix(from[1], to[1]);
  const [h, w] = from;
  const [H, W] = to;
  const map = new Float32Array(H * W * h * w);
  for (let Y = 0; Y < H; Y++)
    for (let X = 0; X < W; X++)
      for (let y = 0; y < h; y++)
        for (let x = 0; x < w; x++) {
          map[((Y * W + X) * h + y) * w + x] = rows[Y * h + y]! * columns[X * w + x]!;
        }
  return tf.matMul(tf.tensor(map, [H * W, h * w]), grid);
}

/** Weights of the `from` samples in each of the `to` ones: [to, from]. */
function bicubicMatrix(from: number, to: number): Float64Array {
  const matrix = new Float64Array(to * from);
  for (let target = 0; target < to; target++) {
    const position = ((target + 0.5) * from) / to - 0.5;
    const base = Math.floor(position);
    for (let tap = -1; tap <= 2; tap++) {
      const source = Math.min(Math.max(base + tap, 0), from - 1);
      const weight = cubic(Math.abs(position - (base + tap)));
      matrix[target * from + source] = matrix[target * from + source]! + weight;
    }
  }
  return matrix;
}

/** Keys' cubic convolution kernel at distance d. */
function cubic(d: number): number {
  if (d <= 1) return ((A + 2) * d - (A + 3)) * d * d + 1;
  if (d < 2) return ((A * d - 5 * A) * d + 8 * A) * d - 4 * A;
  return 0;
}

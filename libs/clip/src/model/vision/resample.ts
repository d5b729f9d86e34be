/**
 * Resampling a grid of position embeddings to another size, as torch's bicubic `interpolate` does
 * (align_corners false, no antialiasing, a = -0.75): a fixed linear map, applied as a matrix product.
 */
import * as tf from '@tensorflow/tfjs-core';
import { requireConfig } from '../config/schema.js';

const A = -0.75;

/**
 * Position embeddings for a grid of another size than they were trained on, as DINOv2 has them.
 * @param table [1, 1 + P, D]: the class token's position, then the stored grid's, which transformers reads as a square
 * @returns [1, 1 + h·w, D]
 * @throws ClipError CONFIG_INVALID when the stored grid is no square
 */
export function resamplePositions(table: tf.Tensor, [h, w]: readonly [number, number]): tf.Tensor {
  const [, T, D] = table.shape as [number, number, number];
  const P = T - 1;
  const side = Math.floor(Math.sqrt(P));
  requireConfig(side * side === P, 'dinov2', 'a square image_size, to resample positions', { positions: P });
  const grid = tf.reshape(tf.slice(table, [0, 1, 0], [1, P, D]), [P, D]);
  const resampled = tf.reshape(resampleGrid(grid, [side, side], [h, w]), [1, h * w, D]);
  return tf.concat([tf.slice(table, [0, 0, 0], [1, 1, D]), resampled], 1);
}

/**
 * @param grid [h·w, D], row-major
 * @returns [H·W, D]
 */
function resampleGrid(
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

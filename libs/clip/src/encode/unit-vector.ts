/** Embeddings of length 1. */
import { ClipError } from '../errors.js';

/**
 * Scales a vector to length 1, summing in double precision.
 * @throws ClipError ONNX_INVALID when it has no direction
 */
export function unitVector(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (!(squares > 0 && squares < Infinity)) {
    throw new ClipError('ONNX_INVALID', 'the model gave an embedding that cannot be normalised', {
      found: squares === 0 ? 'all zeros' : 'numbers that are not finite',
      hint: 'The checkpoint is damaged, or its training diverged',
    });
  }
  const length = Math.sqrt(squares);
  return vector.map((value) => value / length);
}

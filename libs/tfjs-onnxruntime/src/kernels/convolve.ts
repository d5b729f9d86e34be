/** ONNX's Conv and ConvTranspose where there is something to sum. */
import { filled } from '../graph/layout.js';
import { op } from '../graph/ops.js';
import type { AttributeValue, Value } from '../graph/value.js';

/**
 * @param images [N, C, …], channels first
 * @param filters [K, C / group, …]
 * @returns zeros of the result's shape where there are no channels: ONNX Runtime never returns from such a convolution.
 * A filter's gradient over no images is one too, since it sums over the images as other convolutions do over channels.
 */
export function convolve(
  images: Value,
  filters: Value,
  shape: readonly number[],
  attributes: Readonly<Record<string, AttributeValue>>,
): Value {
  if (images.shape[1] === 0 || filters.shape[1] === 0) return filled(0, 'float32', shape);
  return op('Conv', [images, filters], shape, 'float32', attributes);
}

/**
 * @param images [N, C, …], channels first
 * @param filters [C, K / group, …]
 * @returns zeros of the result's shape where there are no channels: ONNX Runtime leaves there what the memory held.
 */
export function convolveTransposed(
  images: Value,
  filters: Value,
  shape: readonly number[],
  attributes: Readonly<Record<string, AttributeValue>>,
): Value {
  if (images.shape[1] === 0) return filled(0, 'float32', shape);
  return op('ConvTranspose', [images, filters], shape, 'float32', attributes);
}

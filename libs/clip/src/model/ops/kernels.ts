/**
 * Fused kernels: a backend may register them; without one, the composite of tfjs-core ops runs.
 */
import * as tf from '@tensorflow/tfjs-core';

/** True when the current backend has a kernel of this name. */
export function hasKernel(name: string): boolean {
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/** Runs a kernel with one output; gradients come from the backend's registration. */
export function runKernel(
  name: string,
  inputs: Record<string, tf.Tensor>,
  attributes: Record<string, number | string>,
): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(name, inputs, attributes);
}

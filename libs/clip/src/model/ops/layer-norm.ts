/**
 * Layer normalisation over the last axis (Ba et al. 2016), biased variance as in PyTorch.
 */
import * as tf from '@tensorflow/tfjs-core';
import { hasKernel, runKernel } from './kernels.js';

/**
 * @param x [..., D]
 * @param gamma [D] weight
 * @param beta [D] bias
 */
export function layerNorm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: number): tf.Tensor {
  if (hasKernel('FusedLayerNorm')) return runKernel('FusedLayerNorm', { x, gamma, beta }, { epsilon });
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, epsilon))), gamma), beta);
}

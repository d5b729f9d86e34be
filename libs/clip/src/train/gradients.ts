/**
 * Reverse-mode gradients by parameter name.
 *
 * tfjs-core's build for Node leaves the gradients of its ops unregistered; loading tfjs-layers registers them.
 */
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import type { Weights } from '../model/index.js';

export interface ValueAndGradients {
  readonly value: tf.Scalar;
  /** By parameter name; a parameter that the value does not depend on has none. */
  readonly gradients: Record<string, tf.Tensor>;
}

/**
 * The value of a scalar function of the weights and its gradient with respect to the named ones.
 * Unlike `tf.grads`, parameters without influence are allowed. `f` runs inside a tidy: `tf.keep` what
 * must outlive it.
 * @param scale a scalar factor of the returned gradients
 */
export function valueAndGradients(
  f: (weights: Weights) => tf.Scalar,
  weights: Weights,
  names: readonly string[],
  scale?: tf.Tensor,
): ValueAndGradients {
  const parameters = names.map((name) => weights[name]!);
  const { value, grads } = tf
    .engine()
    .gradients(() => f(weights), parameters, scale as tf.Scalar | undefined, true);
  const gradients: Record<string, tf.Tensor> = {};
  names.forEach((name, i) => {
    const gradient = grads[i] as tf.Tensor | null | undefined;
    if (gradient != null) gradients[name] = gradient;
  });
  return { value: value, gradients };
}

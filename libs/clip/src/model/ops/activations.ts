/**
 * The activation functions that a config's `hidden_act` can name, as transformers defines them.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../errors.js';
import { hasKernel, runKernel } from './kernels.js';

type Activation = (x: tf.Tensor) => tf.Tensor;

/** Gaussian error linear unit, exact: x Φ(x) (Hendrycks & Gimpel 2016). */
export function gelu(x: tf.Tensor): tf.Tensor {
  if (hasKernel('FusedGelu')) return runKernel('FusedGelu', { x }, { approximate: 'none' });
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

/** The tanh approximation of GELU that GPT-2, SigLIP and others use. */
function geluTanh(x: tf.Tensor): tf.Tensor {
  if (hasKernel('FusedGelu')) return runKernel('FusedGelu', { x }, { approximate: 'tanh' });
  const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
}

/** x σ(1.702 x), OpenAI CLIP's. */
function quickGelu(x: tf.Tensor): tf.Tensor {
  if (hasKernel('FusedGelu')) return runKernel('FusedGelu', { x }, { approximate: 'sigmoid' });
  return tf.mul(x, tf.sigmoid(tf.mul(x, 1.702)));
}

/** Sigmoid linear unit x σ(x). */
export function silu(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.sigmoid(x));
}

/** min(max(x, 0), highest) with the gradient taken from the result, so that x need not be kept for it. */
function rectifier(highest: number): Activation {
  const rectify = (x: tf.Tensor) => (highest === Infinity ? tf.relu(x) : tf.clipByValue(x, 0, highest));
  const passes = (y: tf.Tensor) =>
    highest === Infinity ? tf.greater(y, 0) : tf.logicalAnd(tf.greater(y, 0), tf.less(y, highest));
  const composed = tf.customGrad((x, save) => {
    const value = rectify(x as tf.Tensor);
    (save as tf.GradSaveFunc)([value]);
    return {
      value,
      gradFunc: (dy, saved) => {
        const [y] = saved as [tf.Tensor];
        return tf.where(passes(y), dy, tf.zerosLike(dy));
      },
    };
  });
  return (x) => (hasKernel('FusedRectifier') ? runKernel('FusedRectifier', { x }, { highest }) : composed(x));
}

const relu = rectifier(Infinity);
const relu6 = rectifier(6);

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu,
  gelu_python: gelu,
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_accurate: geluTanh,
  gelu_10: (x) => tf.clipByValue(gelu(x), -10, 10),
  quick_gelu: quickGelu,
  relu,
  relu2: (x) => tf.square(relu(x)),
  relu6,
  laplace: (x) => tf.mul(tf.add(tf.erf(tf.div(tf.sub(x, 0.707107), 0.282095 * Math.SQRT2)), 1), 0.5),
  leaky_relu: (x) => tf.leakyRelu(x, 0.01),
  silu,
  swish: silu,
  mish: (x) => tf.mul(x, tf.tanh(tf.softplus(x))),
  sigmoid: (x) => tf.sigmoid(x),
  tanh: (x) => tf.tanh(x),
  linear: (x) => x,
};

/** Every name that {@link activation} knows. */
export const ACTIVATION_NAMES: readonly string[] = Object.keys(ACTIVATIONS);

/**
 * The function that a config names.
 * @throws ClipError MODEL_UNSUPPORTED for a name outside the table.
 */
export function activation(name: string): Activation {
  const found = Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (found === undefined) {
    throw new ClipError('MODEL_UNSUPPORTED', 'The activation function is not implemented', {
      expected: `one of ${ACTIVATION_NAMES.join(', ')}`,
      found: JSON.stringify(name),
    });
  }
  return found;
}

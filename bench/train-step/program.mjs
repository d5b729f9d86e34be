/**
 * The training step in TensorFlow.js: forward passes of both towers, contrastive loss, gradients, AdamW.
 * One program for every backend; fused kernels are used where the current backend has them.
 */
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core
import * as tf from '@tensorflow/tfjs-core';
import {
  contrastiveLoss,
  createContext,
  createDualEncoder,
  dualEncoderSpecs,
  encodeImages,
  encodeTexts,
  initWeights,
} from '@clip-ts/clip/model';
import { makeBatch } from './shapes.mjs';

/** @typedef {Record<string, tf.Tensor>} Tensors */
/** @typedef {Record<string, import('tfjs-onnxruntime').HostTensor>} HostTensors */

/** The entry of this name, which must be there. @template T @param {Record<string, T>} map @param {string} name @returns {T} */
function get(map, name) {
  const found = map[name];
  if (found === undefined) throw new Error(`missing "${name}"`);
  return found;
}

const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };

/**
 * New parameter and moments.
 * @param {{ param: tf.Tensor, m: tf.Tensor, v: tf.Tensor, grad: tf.Tensor, lr: tf.Tensor, clip: tf.Tensor, correction1: tf.Tensor, correction2: tf.Tensor }} inputs
 * @returns {[tf.Tensor, tf.Tensor, tf.Tensor]}
 */
function adamw(inputs) {
  if (tf.getKernel('FusedAdamW', tf.getBackend())) {
    const results = tf.engine().runKernel('FusedAdamW', inputs, ADAMW);
    return /** @type {[tf.Tensor, tf.Tensor, tf.Tensor]} */ (/** @type {unknown} */ (results));
  }
  const { param, m, v, grad, lr, correction1, correction2 } = inputs;
  const { beta1, beta2, epsilon, weightDecay } = ADAMW;
  const newM = tf.add(tf.mul(m, beta1), tf.mul(grad, 1 - beta1));
  const newV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(grad), 1 - beta2));
  const step = tf.div(tf.mul(newM, correction1), tf.add(tf.sqrt(tf.mul(newV, correction2)), epsilon));
  return [tf.sub(tf.mul(param, tf.sub(1, tf.mul(lr, weightDecay))), tf.mul(step, lr)), newM, newV];
}

/**
 * The tower with all tokens computed in its last block, also those that nothing reads.
 * @template Inputs @param {import('@clip-ts/clip/model').Tower<Inputs>} tower
 * @returns {import('@clip-ts/clip/model').Tower<Inputs>}
 */
const withAllTokens = (tower) => ({
  ...tower,
  forward: (weights, inputs, ctx) => tower.forward(weights, inputs, { ...ctx, firstTokenOnly: false }),
});

/** @param {import('./shapes.mjs').Shape} shape */
export function createProgram(shape) {
  const encoder = createDualEncoder({
    model_type: 'vision-text-dual-encoder',
    vision_config: shape.vision,
    text_config: shape.text,
    projection_dim: shape.projection,
    logit_scale_init_value: 2.6592,
  });
  const { vision, text } = encoder;
  const model = shape.allTokens
    ? { ...encoder, vision: withAllTokens(vision), text: withAllTokens(text) }
    : encoder;
  const specs = dualEncoderSpecs(model).filter((spec) => spec.dtype !== 'int64');
  const weights = initWeights(specs, 1);
  const inTower = (/** @type {string} */ name) =>
    name.startsWith(model.visionPrefix) || name.startsWith(model.textPrefix);
  const learns = specs.filter((spec) => spec.trainable && !(shape.frozen && inTower(spec.name)));
  const trainable = learns.map((spec) => spec.name);

  /** @type {HostTensors} */
  const state = {};
  /** @type {Tensors} */
  const constants = {};
  let parameters = 0;
  for (const { name } of specs) {
    const { data, shape: readonlyDims, dtype } = get(weights, name);
    const dims = [...readonlyDims];
    if (!trainable.includes(name)) {
      constants[name] = tf.keep(tf.tensor(data, dims, dtype));
      continue;
    }
    parameters += data.length;
    state[name] = { data, shape: dims, dtype };
    state[`m/${name}`] = { data: new Float32Array(data.length), shape: dims, dtype };
    state[`v/${name}`] = { data: new Float32Array(data.length), shape: dims, dtype };
  }

  /** @param {Tensors} tensors @param {Tensors} inputs */
  function step(tensors, inputs) {
    const loss = () => {
      const all = { ...constants, ...tensors };
      const ctx = createContext({ training: !shape.frozen, seed: inputs.seed });
      const images = encodeImages(model, all, get(inputs, 'pixel_values'), ctx);
      const texts = encodeTexts(model, all, get(inputs, 'input_ids'), inputs.attention_mask, ctx);
      return contrastiveLoss(images, texts, all.logit_scale).loss;
    };
    const variables = trainable.map((name) => get(tensors, name));
    const { value, grads } = tf.engine().gradients(loss, variables, undefined, true);
    /** @type {Tensors} */
    const next = {};
    trainable.forEach((name, i) => {
      const grad = /** @type {tf.Tensor | undefined} */ (grads[i]);
      if (!grad) return;
      const [param, m, v] = adamw({
        param: get(tensors, name),
        m: get(tensors, `m/${name}`),
        v: get(tensors, `v/${name}`),
        grad,
        lr: get(inputs, 'lr'),
        clip: tf.scalar(1),
        correction1: get(inputs, 'correction1'),
        correction2: get(inputs, 'correction2'),
      });
      Object.assign(next, { [name]: param, [`m/${name}`]: m, [`v/${name}`]: v });
    });
    return { state: next, outputs: { loss: value } };
  }

  const { pixels, ids } = makeBatch(shape);
  const { batch, image, tokens } = shape;
  const scalar = (/** @type {number} */ x) => ({
    data: Float32Array.of(x),
    shape: [],
    dtype: /** @type {const} */ ('float32'),
  });
  /** The batch and what changes with the step, counted from 1. @param {number} t @returns {HostTensors} */
  const inputsAt = (t) => ({
    pixel_values: { data: pixels, shape: [batch, 3, image, image], dtype: 'float32' },
    input_ids: { data: ids, shape: [batch, tokens], dtype: 'int32' },
    attention_mask: { data: new Int32Array(ids.length).fill(1), shape: [batch, tokens], dtype: 'int32' },
    seed: { data: Int32Array.of(t), shape: [], dtype: 'int32' },
    lr: scalar(1e-4),
    correction1: scalar(1 / (1 - 0.9 ** t)),
    correction2: scalar(1 / (1 - 0.999 ** t)),
  });
  return { step, state, inputsAt, parameters };
}

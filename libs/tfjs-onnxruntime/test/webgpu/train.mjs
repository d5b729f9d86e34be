/**
 * Trains a small layer-normalised network for some steps with AdamW and prints the losses and the final state as JSON.
 * Argument: the execution provider. Exits 3 when the machine has no device for it.
 */
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { registerOnnxRuntimeBackend, ReplayedFunction } from 'tfjs-onnxruntime';

const NO_DEVICE = 3;
const [provider = 'cpu'] = process.argv.slice(2);
registerOnnxRuntimeBackend({ sessionOptions: { executionProviders: [provider] } });
await tf.setBackend('onnxruntime');

const [B, I, O] = [8, 12, 4];
const float32 = (/** @type {Float32Array} */ data, /** @type {number[]} */ shape) => ({
  data,
  shape,
  dtype: /** @type {const} */ ('float32'),
});
const size = (/** @type {number[]} */ shape) => shape.reduce((n, d) => n * d, 1);
const numbers = (/** @type {number[]} */ shape, /** @type {number} */ salt) =>
  float32(
    Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(1.7 * i + salt)),
    shape,
  );
const zeros = (/** @type {number[]} */ shape) => float32(new Float32Array(size(shape)), shape);
const scalar = (/** @type {number} */ x) => float32(Float32Array.of(x), []);

/** The entry of this name, which must be there. @template T @param {Record<string, T>} map @param {string} name @returns {T} */
function get(map, name) {
  const found = map[name];
  if (found === undefined) throw new Error(`missing "${name}"`);
  return found;
}

const state = { w: numbers([O, I], 1), m: zeros([O, I]), v: zeros([O, I]), count: scalar(0) };
const step = new ReplayedFunction(
  (current, inputs) => {
    const w = get(current, 'w');
    const one = tf.scalar(1);
    const loss = (/** @type {tf.Tensor} */ weights) => {
      const hidden = tf.matMul(get(inputs, 'x'), weights, false, true);
      const norm = { x: hidden, gamma: tf.ones([O]), beta: tf.zeros([O]) };
      const x = /** @type {tf.Tensor} */ (tf.engine().runKernel('FusedLayerNorm', norm, { epsilon: 1e-5 }));
      const active = tf.engine().runKernel('FusedGelu', { x }, { approximate: 'none' });
      return tf.mean(tf.square(tf.sub(/** @type {tf.Tensor} */ (active), get(inputs, 'y'))));
    };
    const { value, grad } = tf.valueAndGrad(loss)(w);
    const moments = { m: get(current, 'm'), v: get(current, 'v') };
    const scalars = { lr: get(inputs, 'lr'), clip: one, correction1: one, correction2: one };
    const hyper = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 };
    const updated = tf.engine().runKernel('FusedAdamW', { param: w, ...moments, grad, ...scalars }, hyper);
    const [param, m, v] = /** @type {[tf.Tensor, tf.Tensor, tf.Tensor]} */ (updated);
    return {
      state: { w: param, m, v, count: tf.add(get(current, 'count'), one) },
      outputs: { loss: value },
    };
  },
  state,
  { maxSignatures: 1 },
);

/** @param {number} batch @param {number} salt @param {number} lr */
async function lossOf(batch, salt, lr) {
  const inputs = { x: numbers([batch, I], salt), y: numbers([batch, O], salt + 3), lr: scalar(lr) };
  return Number(get(await step.run(inputs), 'loss').data[0]);
}
const read = () =>
  Object.fromEntries(
    Object.entries(step.readState()).map(([name, { data }]) => [name, [...data].map(Number)]),
  );

/** @type {number[]} */
const losses = [];
try {
  for (let i = 0; i < 5; i++) losses.push(await lossOf(B, i, 0.05));
} catch (error) {
  if (!/adapter/.test(String(error))) throw error;
  console.error(String(error));
  process.exit(NO_DEVICE);
}
const trained = read();
const onDevice = step.deviceTensors;
step.writeState({ w: state.w });
const written = read().w;
// Another signature: the session that the state came from goes, the state stays.
const again = await lossOf(4, 0, 0);
console.log(JSON.stringify({ losses, trained, onDevice, written, again }));
step.dispose();

/**
 * Trains a small layer-normalised network for some steps with AdamW and prints the losses and the final state as JSON.
 * Argument: the execution provider. Exits 3 when the machine has no device for it.
 */
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { registerOnnxRuntimeBackend, ReplayedFunction } from 'tfjs-onnxruntime';

const [provider = 'cpu'] = process.argv.slice(2);
registerOnnxRuntimeBackend({ sessionOptions: { executionProviders: [provider] } });
await tf.setBackend('onnxruntime');

const [B, I, O] = [8, 12, 4];
const numbers = (/** @type {number[]} */ shape, /** @type {number} */ salt) => ({
  data: Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => Math.sin(1.7 * i + salt)),
  shape,
  dtype: /** @type {const} */ ('float32'),
});
const scalar = (/** @type {number} */ x) => ({
  data: Float32Array.of(x),
  shape: [],
  dtype: /** @type {const} */ ('float32'),
});
const zeros = (/** @type {number[]} */ shape) => ({
  ...numbers(shape, 0),
  data: numbers(shape, 0).data.fill(0),
});
const state = { w: numbers([O, I], 1), m: zeros([O, I]), v: zeros([O, I]), count: scalar(0) };

const step = new ReplayedFunction(
  (current, inputs) => {
    const { w, m, v, count } = /** @type {Record<string, tf.Tensor>} */ (current);
    const { x, y, lr } = /** @type {Record<string, tf.Tensor>} */ (inputs);
    const one = tf.scalar(1);
    const loss = (/** @type {tf.Tensor} */ weights) => {
      const hidden = tf.matMul(x, weights, false, true);
      const norm = { x: hidden, gamma: tf.ones([O]), beta: tf.zeros([O]) };
      const normed = tf.engine().runKernel('FusedLayerNorm', norm, { epsilon: 1e-5 });
      const active = tf.engine().runKernel('FusedGelu', { x: normed }, { approximate: 'none' });
      return tf.mean(tf.square(tf.sub(active, y)));
    };
    const { value, grad } = tf.valueAndGrad(loss)(w);
    const [param, newM, newV] = tf
      .engine()
      .runKernel(
        'FusedAdamW',
        { param: w, m, v, grad, lr, clip: one, correction1: one, correction2: one },
        { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 },
      );
    return { state: { w: param, m: newM, v: newV, count: tf.add(count, one) }, outputs: { loss: value } };
  },
  state,
  { maxSignatures: 1 },
);

const losses = [];
try {
  for (let i = 0; i < 5; i++) {
    const { loss } = await step.run({ x: numbers([B, I], i), y: numbers([B, O], i + 3), lr: scalar(0.05) });
    losses.push(loss.data[0]);
  }
} catch (error) {
  if (!/adapter/.test(String(error))) throw error;
  console.error(String(error));
  process.exit(3);
}
const read = () =>
  Object.fromEntries(Object.entries(step.readState()).map(([name, { data }]) => [name, [...data]]));
const trained = read();
const onDevice = step.deviceTensors;
step.writeState({ w: state.w });
const written = read().w;
// Another signature: the session that the state came from goes, the state stays.
const { loss } = await step.run({ x: numbers([4, I], 0), y: numbers([4, O], 3), lr: scalar(0) });
console.log(JSON.stringify({ losses, trained, onDevice, written, again: loss.data[0] }));
step.dispose();

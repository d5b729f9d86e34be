/**
 * Makes, runs and releases as many sessions of the native addon as the argument says, and makes each fail once. What LeakSanitizer
 * reports at the end must not grow with their number (libs/ort-native/sanitize.mjs).
 */
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import * as tf from '@tensorflow/tfjs-core';
import { ReplayedFunction } from 'tfjs-onnxruntime';

await tf.setBackend('onnxruntime');

const [N, D] = [300, 64];
/** @returns {import('tfjs-onnxruntime').HostTensor} */
const filled = (/** @type {number[]} */ shape, /** @type {number} */ value) => ({
  data: new Float32Array(shape.reduce((n, d) => n * d, 1)).fill(value),
  shape,
  dtype: 'float32',
});

/** A step with a fused op, a product of the addon, an update in place and a result that is not finite on request. */
function createStep() {
  const moments = { m: filled([D, D], 0), v: filled([D, D], 0) };
  return new ReplayedFunction(
    ({ w, m, v }, inputs) => {
      const x = /** @type {tf.Tensor} */ (inputs.x);
      const grad = tf.matMul(tf.add(x, tf.sum(x, 0)), x, true, false);
      const one = tf.scalar(1);
      const operands = { param: w, m, v, grad, lr: one, clip: one, correction1: one, correction2: one };
      const hyper = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
      const updated = /** @type {tf.Tensor[]} */ (
        tf.engine().runKernel('FusedAdamW', /** @type {tf.NamedTensorMap} */ (operands), hyper)
      );
      const [param, first, second] = /** @type {[tf.Tensor, tf.Tensor, tf.Tensor]} */ (updated);
      return { state: { w: param, m: first, v: second }, outputs: { sum: tf.sum(x) } };
    },
    { w: filled([D, D], 1), ...moments },
    { sessionOptions: { intraOpNumThreads: 1 } },
  );
}

for (let i = 0; i < Number(process.argv[2]); i++) {
  const step = createStep();
  if (!step.isNative) throw new Error('the native addon is not there');
  await step.run({ x: filled([N, D], 1) });
  const failure = await step
    .run({ x: filled([N, D], Infinity) })
    .catch((/** @type {unknown} */ error) => error);
  if (!(failure instanceof Error)) throw new Error('infinities passed');
  step.dispose();
}

// Handles that JavaScript no longer has count as left until they are collected (node --expose-gc).
for (let i = 0; i < 3; i++) {
  globalThis.gc?.();
  await new Promise((resolve) => void setImmediate(resolve));
}

/**
 * The same step, op by op, on a native TensorFlow.js backend: the peer `tfjs-node`, which `npm run native:install`
 * puts in place. Protocol as in ours.mjs. Argument: shape.
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { createProgram } from './program.mjs';
import { shapeNamed } from './shapes.mjs';
import { selectBackend } from '../../apps/trainer/dist/backend/select-backend.js';
import { peakRssMb } from '../shared/side.mjs';

await selectBackend('tfjs-node');
const { step, state, inputsAt, parameters } = createProgram(shapeNamed(process.argv[2] ?? 'a'));

/** @param {import('./program.mjs').HostTensors} map @returns {import('./program.mjs').Tensors} */
const toTensors = (map) =>
  Object.fromEntries(
    Object.entries(map).map(([key, { data, shape, dtype }]) => [
      key,
      tf.tensor(/** @type {Float32Array} */ (data), shape, /** @type {'float32'} */ (dtype)),
    ]),
  );
let tensors = toTensors(state);

/** @param {number} t */
function runStep(t) {
  const inputs = toTensors(inputsAt(t));
  const { state: next, outputs } = tf.tidy(() => {
    const result = step(tensors, inputs);
    return { state: result.state, outputs: result.outputs };
  });
  const loss = Number(outputs.loss.dataSync()[0]);
  for (const key of Object.keys(next)) tensors[key]?.dispose();
  tensors = { ...tensors, ...next };
  tf.dispose([inputs, outputs]);
  return loss;
}

let t = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const ms = [];
  let loss = 0;
  for (let i = Number(line.split(' ')[1]); i > 0; i--) {
    const started = performance.now();
    loss = runStep(++t);
    ms.push(performance.now() - started);
  }
  console.log(JSON.stringify({ ms, loss, parameters, peakRssMb: peakRssMb() }));
}

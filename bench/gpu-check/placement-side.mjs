/**
 * A step of bench/train-step, compiled but not run, on CUDA's libraries or their stand-ins (scripts/gpu/placement.mjs). Arguments:
 * folder of the libraries, shape, precision. Prints one line of JSON; ONNX Runtime's own log goes to both outputs.
 */
import * as tf from '@tensorflow/tfjs-core';
import { asOneFunction, inputsOf } from '@clip-ts/clip/train';
import { DeviceFunction, openComputeDevice } from 'tfjs-onnxruntime';
import { shapeNamed } from '../train-step/shapes.mjs';
import { createSubject } from '../train-step/subject.mjs';

const [folder = '', shape = 'a', precision] = process.argv.slice(2);
await tf.setBackend('onnxruntime');
const device = await openComputeDevice({ kind: 'cuda', folders: [folder], logLevel: 'verbose' });
const { program, state, inputsAt } = createSubject(shapeNamed(shape));
const step = new DeviceFunction(
  device,
  asOneFunction(program),
  /** @type {Record<string, import('tfjs-onnxruntime').HostTensor>} */ (state),
  { precision: precision === 'mixed' ? 'mixed' : 'float32' },
);
const { ops, notCaptured } = step.describe(inputsOf('step', inputsAt(0)));
const count = (/** @type {Readonly<Record<string, number>>} */ counts) =>
  Object.values(counts).reduce((sum, n) => sum + n, 0);
console.log(`\n${JSON.stringify({ nodes: [count(ops.step), count(ops.update)], notCaptured })}`);

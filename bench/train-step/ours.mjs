/**
 * Our side of the bench: the step as a replayed function on the backend "onnxruntime".
 * Lines on standard input: `run N` is answered by one line of JSON with the milliseconds of N steps, `profile` by where
 * the time goes. Arguments: shape, threads (default: as many as cores).
 */
import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { ReplayedFunction } from 'tfjs-onnxruntime';
import { gemmShare } from './gemm-share.mjs';
import { createProgram } from './program.mjs';
import { shapeNamed } from './shapes.mjs';
import { peakRssMb } from '../shared/side.mjs';

const [name = 'a', threads] = process.argv.slice(2);
await tf.setBackend('onnxruntime');
const { step, state, inputsAt, parameters } = createProgram(shapeNamed(name));
const sessionOptions = threads ? { intraOpNumThreads: Number(threads) } : {};
const replayed = new ReplayedFunction(step, state, { name: `train-step.${name}`, sessionOptions });
// The function has its own copy.
for (const key of Object.keys(state)) delete state[key];

let t = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'profile') {
    const entries = replayed.profile(inputsAt(t + 1));
    console.log(JSON.stringify({ ...gemmShare(entries), profile: entries.slice(0, 100) }));
    continue;
  }
  const ms = [];
  let loss = 0;
  for (let i = Number(line.split(' ')[1]); i > 0; i--) {
    const started = performance.now();
    const outputs = await replayed.run(inputsAt(++t));
    loss = Number(outputs.loss?.data[0]);
    ms.push(performance.now() - started);
  }
  console.log(JSON.stringify({ ms, loss, parameters, peakRssMb: peakRssMb() }));
}

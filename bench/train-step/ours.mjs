/**
 * Our side of the bench: the step as a replayed function on the backend "onnxruntime".
 * Requests: `run N` times N steps, `profile` says where the time of a step goes. Arguments: shape, threads (default: as
 * many as cores).
 */
import * as tf from '@tensorflow/tfjs-core';
import { asOneFunction, createReplayedRunner, inputsOf, numberOf } from '@clip-ts/clip/train';
import { ReplayedFunction } from 'tfjs-onnxruntime';
import { answerRequests, timeRuns } from '../shared/side.mjs';
import { gemmShare } from './gemm-share.mjs';
import { shapeNamed } from './shapes.mjs';
import { createSubject } from './subject.mjs';

const [name = 'a', threads] = process.argv.slice(2);
await tf.setBackend('onnxruntime');
const { program, state, inputsAt, parameters } = createSubject(shapeNamed(name));
const sessionOptions = threads ? { intraOpNumThreads: Number(threads) } : {};
const replayed = new ReplayedFunction(
  asOneFunction(program),
  /** @type {Record<string, import('tfjs-onnxruntime').HostTensor>} */ (state),
  { name: `train-step.${name}`, sessionOptions, sharesState: true },
);
const runner = createReplayedRunner(program, replayed);
for (const key of Object.keys(state)) delete state[key];

let step = 0;
let loss = 0;
await answerRequests(async (request, count) => {
  if (request === 'profile') {
    const entries = replayed.profile(inputsOf('step', inputsAt(step)));
    return { ...gemmShare(entries), profile: entries };
  }
  const ms = await timeRuns(count, async () => {
    loss = numberOf((await runner.run.step(inputsAt(step++))).loss);
  });
  return { ms, loss, parameters };
});

/**
 * One measurement of gpu:check, in a process of its own, so that a crash costs one row. Argument: a job as JSON. The last
 * line of output is the answer as JSON.
 *
 *   { task: 'trajectory', engine, mixed, steps }           an engine beside the CPU reference, on a small model
 *   { task: 'timing', shape, kind, tf32, mixed, steps }    steps of bench/train-step on a device
 *
 * The answer { absent } says why an engine is not there.
 *
 * engine: 'cuda', 'device-cpu' (the same path on the CPU provider), 'webgpu', 'tfjs-node', 'tfjs-node-gpu'. mixed: products in
 * float16 with a scale of the loss, on the first two; the reference computes in float32.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  asOneFunction,
  createEagerRunner,
  createReplayedRunner,
  INITIAL_LOSS_SCALE,
  inputsOf,
  nextLossScale,
  numberOf,
  SMALLEST_LOSS_SCALE,
} from '@clip-ts/clip/train';
import { DeviceFunction, openComputeDevice, ReplayedFunction } from 'tfjs-onnxruntime';
import { InputError } from '../../apps/trainer/build/errors.js';
import { precisionOptions } from '../../apps/trainer/build/backend/open-backend.js';
import { selectBackend } from '../../apps/trainer/build/backend/select-backend.js';
import { cudaFolders } from '../../apps/trainer/build/backend/native-folder.js';
import { shapeNamed } from '../train-step/shapes.mjs';
import { createSubject } from '../train-step/subject.mjs';
import { timeRuns } from '../shared/side.mjs';

/** @typedef {import('@clip-ts/clip/train').HostTensors} HostTensors */
/** @typedef {'cuda' | 'device-cpu' | 'webgpu' | 'tfjs-node' | 'tfjs-node-gpu'} Engine */

/** Bench shape a in small: one layer of width 64 in each tower. */
function smallShape() {
  const shape = shapeNamed('a');
  const small = { hidden_size: 64, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 128 };
  return {
    ...shape,
    batch: 8,
    tokens: 12,
    image: 64,
    projection: 32,
    vision: { ...shape.vision, ...small, image_size: 64, patch_size: 16 },
    text: { ...shape.text, ...small, vocab_size: 300 },
  };
}

/** @param {HostTensors} state */
const asState = (state) =>
  /** @type {Record<string, import('tfjs-onnxruntime').HostTensor>} */ (/** @type {unknown} */ (state));

/** @param {Engine} engine @param {boolean} mixed @param {ReturnType<typeof createSubject>} subject */
async function runnerOf(engine, mixed, { program, state }) {
  if (engine === 'tfjs-node' || engine === 'tfjs-node-gpu') {
    const { reason } = await selectBackend(engine);
    if (engine === 'tfjs-node-gpu' && !reason.endsWith('GPU')) throw new InputError(reason);
    return createEagerRunner(program, state);
  }
  if (engine === 'webgpu') {
    await selectBackend('onnxruntime-webgpu');
    return createReplayedRunner(program, new ReplayedFunction(asOneFunction(program), asState(state)));
  }
  await tf.setBackend('onnxruntime');
  const device = await openComputeDevice(
    engine === 'cuda' ? { kind: 'cuda', folders: cudaFolders() } : { kind: 'cpu' },
  );
  const options = precisionOptions(mixed ? 'mixed' : 'float32');
  return createReplayedRunner(
    program,
    new DeviceFunction(device, asOneFunction(program), asState(state), options),
  );
}

/**
 * Makes steps with the loss scale that they need: after an overflow the same step is made again with half of it.
 * @param {Awaited<ReturnType<typeof runnerOf>>} runner @param {ReturnType<typeof createSubject>} subject @param {boolean} mixed
 */
function stepsOf(runner, subject, mixed) {
  let scale = mixed ? INITIAL_LOSS_SCALE : { ...INITIAL_LOSS_SCALE, scale: 1 };
  return async (/** @type {number} */ step) => {
    for (;;) {
      const found = await runner.run.step(subject.inputsAt(step, scale.scale));
      if (!mixed || Number.isFinite(numberOf(found.grad_norm))) return found;
      scale = nextLossScale(scale, true);
      if (scale.scale < SMALLEST_LOSS_SCALE) throw new Error('the gradients overflow at any loss scale');
    }
  };
}

/**
 * Largest difference between two states over tensors whose names begin with `prefix`, relative to the largest number there.
 * @param {HostTensors} found @param {HostTensors} expected @param {string} prefix
 */
function difference(found, expected, prefix) {
  let largest = 0;
  let scale = 0;
  for (const [name, tensor] of Object.entries(expected)) {
    if (!name.startsWith(prefix)) continue;
    tensor.data.forEach((x, i) => {
      largest = Math.max(largest, Math.abs(Number(found[name]?.data[i] ?? NaN) - Number(x)));
      scale = Math.max(scale, Math.abs(Number(x)));
    });
  }
  return largest / scale;
}

/** @param {{ engine: Engine, mixed: boolean, steps: number }} job */
async function trajectory({ engine, mixed, steps }) {
  const subject = createSubject(smallShape());
  const runner = await runnerOf(engine, mixed, subject);
  const stepOf = stepsOf(runner, subject, mixed);
  const replayed = new ReplayedFunction(asOneFunction(subject.program), asState(subject.state), {
    native: false,
    sessionOptions: { executionProviders: ['cpu'] },
  });
  const reference = createReplayedRunner(subject.program, replayed);
  const names = Object.keys(subject.state);
  let loss = 0;
  let gradients = 0;
  for (let step = 0; step < steps; step++) {
    const found = await stepOf(step);
    const expected = await reference.run.step(subject.inputsAt(step));
    loss = Math.max(loss, Math.abs(numberOf(found.loss) - numberOf(expected.loss)));
    // The first moments after the first step are the clipped gradients times 1 − β₁.
    if (step === 0)
      gradients = difference(await runner.readState(names), await reference.readState(names), 'adam_m.');
  }
  return { gradients, loss, steps };
}

/** @param {{ shape: string, batch?: number, kind: 'cuda' | 'cpu', tf32: boolean, mixed: boolean, steps: number }} job */
async function timing({ shape, batch, kind, tf32, mixed, steps }) {
  await tf.setBackend('onnxruntime');
  const named = shapeNamed(shape);
  const subject = createSubject({ ...named, batch: batch ?? named.batch });
  const device = await openComputeDevice({ kind, tf32, folders: cudaFolders() });
  const options = precisionOptions(mixed ? 'mixed' : 'float32');
  const fn = new DeviceFunction(device, asOneFunction(subject.program), asState(subject.state), options);
  const stepOf = stepsOf(createReplayedRunner(subject.program, fn), subject, mixed);
  let step = 0;
  let loss = 0;
  const run = async () => {
    loss = numberOf((await stepOf(step++)).loss);
  };
  // The first steps compile, search for convolutions and record the graph.
  const [first] = await timeRuns(1, run);
  await timeRuns(Math.min(4, steps), run);
  const before = fn.stateBytesMoved;
  const ms = await timeRuns(steps, run);
  const { ops, notCaptured } = fn.describe(inputsOf('step', subject.inputsAt(0)));
  const count = (/** @type {Readonly<Record<string, number>>} */ counts) =>
    Object.values(counts).reduce((sum, n) => sum + n, 0);
  return {
    ms,
    first,
    loss,
    stateBytesMoved: fn.stateBytesMoved - before,
    nodes: count(ops.step),
    updateNodes: count(ops.update),
    notCaptured,
  };
}

const job = JSON.parse(process.argv[2] ?? '{}');
try {
  console.log(JSON.stringify(await (job.task === 'timing' ? timing(job) : trajectory(job))));
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  console.log(JSON.stringify({ absent: error.message }));
}

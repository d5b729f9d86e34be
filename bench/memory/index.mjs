/**
 * Does training leak memory? Runs a thousand replayed steps of the sample's dual encoder (batch 32) with texts of two
 * lengths, as many in which a third length is compiled again and again, and as many eager steps of a small regression.
 * Tensor count and resident memory must stay what they were after warming up. Memory is read every 50 steps, after a
 * garbage collection.
 *
 *   npm run bench -- memory [--steps 1000]
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { asOneFunction, createReplayedRunner } from '@clip-ts/clip/train';
import { ReplayedFunction, stats } from 'tfjs-onnxruntime';
import { createSubject } from '../train-step/subject.mjs';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '1000' } } });
const steps = Number(values.steps);
const EVERY = 50;

setFlagsFromString('--expose-gc');
/** @type {() => void} */
const collect = runInNewContext('gc');
const rss = () => {
  collect();
  return process.memoryUsage.rss() / 2 ** 20;
};

/** @param {string} name @param {(step: number) => Promise<void>} run */
async function measure(name, run) {
  const warmUp = Math.ceil(steps / 10);
  for (let i = 0; i < warmUp; i++) await run(i);
  const before = { rss: rss(), tensors: tf.memory().numTensors };
  const readings = [before.rss];
  for (let i = warmUp; i < warmUp + steps; i++) {
    await run(i);
    if ((i + 1 - warmUp) % EVERY === 0) readings.push(rss());
  }
  const growth = (/** @type {number} */ reading) =>
    `${((100 * (reading - before.rss)) / before.rss).toFixed(1)} %`;
  const print = (/** @type {string} */ key, /** @type {string | number} */ value) =>
    console.log(`memory.${name}.${key}: ${value}`);
  print('steps', `${steps} after ${warmUp} to warm up`);
  print('tensor_growth', tf.memory().numTensors - before.tensors);
  print('rss_readings', `${readings.map((reading) => reading.toFixed(0)).join(' ')} MB`);
  print('rss_growth', growth(readings.at(-1) ?? 0));
  print('rss_highest_growth', growth(Math.max(...readings)));
}

await tf.setBackend('onnxruntime');

const lengths = [16, 24, 32];
const subjects = lengths.map((tokens) =>
  createSubject({
    batch: 32,
    tokens,
    image: 64,
    frozen: false,
    projection: 128,
    vision: {
      model_type: 'vit',
      image_size: 64,
      patch_size: 16,
      hidden_size: 192,
      num_hidden_layers: 4,
      num_attention_heads: 3,
      intermediate_size: 768,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    },
    text: {
      model_type: 'bert',
      vocab_size: 500,
      hidden_size: 128,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      intermediate_size: 512,
      max_position_embeddings: 32,
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    },
  }),
);
const [first] = subjects;
if (!first) throw new Error('no subject');
const state = /** @type {Record<string, import('tfjs-onnxruntime').HostTensor>} */ (first.state);
const replayed = new ReplayedFunction(asOneFunction(first.program), state, { maxSignatures: 2 });
const runner = createReplayedRunner(first.program, replayed);
await measure('replayed', async (i) => {
  await runner.run.step((subjects[i % 2] ?? first).inputsAt(i));
});
await measure('recompiled', async (i) => {
  // Three lengths, two of which stay compiled: the third is compiled again each time it comes, every 50 steps.
  const subject = subjects[i % 50 === 49 ? 2 : i % 2] ?? first;
  await runner.run.step(subject.inputsAt(i));
});
console.log(`memory.recompiled.signatures: ${replayed.signatures}`);
runner.dispose();

let w = tf.zeros([64, 1]);
const x = tf.randomNormal([256, 64]);
await measure('eager', async (i) => {
  const next = tf.tidy(() => {
    const loss = (/** @type {tf.Tensor} */ v) => tf.mean(tf.square(tf.sub(tf.matMul(x, v), 1)));
    const { value, grad } = tf.valueAndGrad(loss)(w);
    value.dataSync();
    return tf.sub(w, tf.mul(grad, 0.1 / (i + 1)));
  });
  w.dispose();
  w = next;
});
const { sessions, evictions, cacheMisses } = stats();
console.log(`memory.eager.sessions: ${sessions}`);
console.log(`memory.eager.evictions: ${evictions}`);
console.log(`memory.eager.compiled: ${cacheMisses}`);

/**
 * Does training leak? A thousand replayed steps of a small dual encoder, with batches of changing length, and as many
 * eager steps of a small regression: tensor count and resident memory must stay where they were after warming up.
 *
 *   npm run bench -- memory [--steps 1000]
 */
import { parseArgs } from 'node:util';
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { ReplayedFunction, stats } from 'tfjs-onnxruntime';
import { createProgram } from '../train-step/program.mjs';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '1000' } } });
const steps = Number(values.steps);
const rss = () => process.memoryUsage.rss() / 2 ** 20;

/** @param {string} name @param {(step: number) => Promise<void>} run */
async function measure(name, run) {
  const warmUp = Math.ceil(steps / 10);
  for (let i = 0; i < warmUp; i++) await run(i);
  const before = { rss: rss(), tensors: tf.memory().numTensors };
  let highest = before.rss;
  for (let i = warmUp; i < steps; i++) {
    await run(i);
    highest = Math.max(highest, rss());
  }
  console.log(`memory.${name}.steps: ${steps}`);
  console.log(`memory.${name}.tensor_growth: ${tf.memory().numTensors - before.tensors}`);
  console.log(`memory.${name}.rss: ${rss().toFixed(0)} MB`);
  console.log(`memory.${name}.rss_growth: ${((100 * (rss() - before.rss)) / before.rss).toFixed(1)} %`);
  console.log(
    `memory.${name}.rss_highest_growth: ${((100 * (highest - before.rss)) / before.rss).toFixed(1)} %`,
  );
}

await tf.setBackend('onnxruntime');

const tower = {
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 128,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
};
const lengths = [8, 12, 16];
const programs = lengths.map((tokens) =>
  createProgram({
    batch: 16,
    tokens,
    image: 32,
    frozen: false,
    projection: 32,
    vision: { ...tower, model_type: 'vit', image_size: 32, patch_size: 8 },
    text: { ...tower, model_type: 'bert', vocab_size: 500, max_position_embeddings: 32 },
  }),
);
const [first] = programs;
if (!first) throw new Error('no program');
const replayed = new ReplayedFunction(first.step, first.state, { maxSignatures: 2 });
await measure('replayed', async (i) => {
  // Three lengths, two of which stay compiled: the third is compiled again each time it comes, every 50 steps.
  const program = programs[i % 50 === 49 ? 2 : i % 2] ?? first;
  await replayed.run(program.inputsAt(i + 1));
});
console.log(`memory.replayed.signatures: ${replayed.signatures}`);
replayed.dispose();

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

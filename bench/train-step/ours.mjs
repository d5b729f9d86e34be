/**
 * One side of the bench: the training step in TensorFlow.js on the backend named by the first argument.
 * Protocol: a line `run N` on standard input is answered by one line of JSON with the milliseconds of N steps.
 */
import { createInterface } from 'node:readline';
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import {
  contrastiveLoss,
  createContext,
  createDualEncoder,
  dualEncoderSpecs,
  encodeImages,
  encodeTexts,
  initWeights,
} from '@clip-ts/clip/model';
import { ReplayedFunction } from 'tfjs-onnxruntime';
import { gemmShare } from './gemm-share.mjs';
import { makeBatch, SHAPES } from './shapes.mjs';
import { peakRssMb } from './side.mjs';

const shape = SHAPES[process.argv[2] ?? 'a'];
if (!shape) throw new Error('no such shape');
await tf.setBackend('onnxruntime');

const model = createDualEncoder({
  model_type: 'vision-text-dual-encoder',
  vision_config: shape.vision,
  text_config: shape.text,
  projection_dim: shape.projection,
  logit_scale_init_value: 2.6592,
});
const specs = dualEncoderSpecs(model).filter((spec) => spec.dtype !== 'int64');
const weights = initWeights(specs, 1);
const inTower = (name) => name.startsWith(model.visionPrefix) || name.startsWith(model.textPrefix);
const trainable = specs.filter((s) => s.trainable && !(shape.frozen && inTower(s.name))).map((s) => s.name);
const frozen = specs.filter((s) => !trainable.includes(s.name)).map((s) => s.name);

const state = {};
for (const name of trainable) {
  const { data, shape: dims, dtype } = weights[name];
  state[name] = { data, shape: dims, dtype };
  state[`m/${name}`] = { data: new Float32Array(data.length), shape: dims, dtype };
  state[`v/${name}`] = { data: new Float32Array(data.length), shape: dims, dtype };
}
const constants = Object.fromEntries(
  frozen.map((name) => [name, tf.tensor(weights[name].data, weights[name].shape, weights[name].dtype)]),
);

const step = new ReplayedFunction(
  (tensors, inputs) => {
    const loss = (parameters) => {
      const all = { ...constants, ...parameters };
      const ctx = createContext({ training: !shape.frozen, seed: inputs.seed });
      const images = encodeImages(model, all, inputs.pixel_values, ctx);
      const texts = encodeTexts(model, all, inputs.input_ids, inputs.attention_mask, ctx);
      return contrastiveLoss(images, texts, all.logit_scale).loss;
    };
    const parameters = trainable.map((name) => tensors[name]);
    const { value, grads } = tf.engine().gradients(() => loss(tensors), parameters, undefined, true);
    const next = {};
    trainable.forEach((name, i) => {
      if (!grads[i]) return;
      const [param, m, v] = tf.engine().runKernel(
        'FusedAdamW',
        {
          param: tensors[name],
          m: tensors[`m/${name}`],
          v: tensors[`v/${name}`],
          grad: grads[i],
          lr: inputs.lr,
          clip: tf.scalar(1),
          correction1: inputs.correction1,
          correction2: inputs.correction2,
        },
        { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
      );
      next[name] = param;
      next[`m/${name}`] = m;
      next[`v/${name}`] = v;
    });
    return { state: next, outputs: { loss: value } };
  },
  state,
  {
    name: `train-step.${process.argv[2]}`,
    sessionOptions: process.argv[3] ? { intraOpNumThreads: Number(process.argv[3]) } : {},
  },
);

const { pixels, ids } = makeBatch(shape);
const scalar = (x) => ({ data: Float32Array.of(x), shape: [], dtype: 'float32' });
let t = 0;
/** What changes from step to step, and the batch. */
function inputs() {
  t++;
  return {
    pixel_values: { data: pixels, shape: [shape.batch, 3, shape.image, shape.image], dtype: 'float32' },
    input_ids: { data: ids, shape: [shape.batch, shape.tokens], dtype: 'int32' },
    attention_mask: {
      data: new Int32Array(ids.length).fill(1),
      shape: [shape.batch, shape.tokens],
      dtype: 'int32',
    },
    seed: { data: Int32Array.of(t), shape: [], dtype: 'int32' },
    lr: scalar(1e-4),
    correction1: scalar(1 / (1 - 0.9 ** t)),
    correction2: scalar(1 / (1 - 0.999 ** t)),
  };
}

const count = trainable.reduce((n, name) => n + weights[name].data.length, 0);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'profile') {
    const entries = step.profile(inputs());
    console.log(JSON.stringify({ ...gemmShare(entries), profile: entries.slice(0, 100) }));
    continue;
  }
  const steps = Number(line.split(' ')[1]);
  const ms = [];
  let loss = 0;
  for (let i = 0; i < steps; i++) {
    const started = performance.now();
    loss = (await step.run(inputs())).loss.data[0];
    ms.push(performance.now() - started);
  }
  console.log(JSON.stringify({ ms, loss, parameters: count, peakRssMb: peakRssMb() }));
}

/**
 * One side of the bench: a tower of libs/clip/model, exported to ONNX and run by onnxruntime-node.
 * Request: `run B` times forward passes of batch B.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as ort from 'onnxruntime-node';
import { createContext, createTextTower, createVisionTower, initWeights } from '@clip-ts/clip/model';
import { exportOnnx } from 'tfjs-onnxruntime';
import { answerRequests, timeRuns } from '../shared/side.mjs';
import { IMAGE_SIZE, TOWERS } from './towers.mjs';

/** @param {string} name */
function towerNamed(name) {
  const tower = TOWERS[name];
  if (!tower) throw new Error(`no such tower; towers: ${Object.keys(TOWERS).join(', ')}`);
  return tower;
}

const timed = towerNamed(process.argv[2] ?? '');
const repeats = Number(process.argv[3]);
await tf.setBackend('onnxruntime');

/** @param {ReturnType<typeof createVisionTower> | ReturnType<typeof createTextTower>} tower */
function tensorsOf(tower) {
  const specs = tower.specs.filter((spec) => spec.dtype !== 'int64');
  return Object.fromEntries(
    Object.entries(initWeights(specs, 1)).map(([name, { data, shape }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]),
  );
}

/** @param {import('@tensorflow/tfjs-core').NamedTensorMap} tensors @param {string} name */
function required(tensors, name) {
  const tensor = tensors[name];
  if (!tensor) throw new Error(`${name} is missing`);
  return tensor;
}

async function exported() {
  const context = () => createContext({ training: false });
  if (timed.kind === 'vision') {
    const tower = createVisionTower(timed.config);
    const weights = tensorsOf(tower);
    return exportOnnx(
      (inputs) => {
        const pixel_values = required(inputs, 'pixel_values');
        return { ...tower.forward(weights, { pixel_values }, context()) };
      },
      { inputs: { pixel_values: { shape: ['batch', 3, IMAGE_SIZE, IMAGE_SIZE], dtype: 'float32' } } },
    );
  }
  const tower = createTextTower(timed.config);
  const weights = tensorsOf(tower);
  return exportOnnx(
    (inputs) => {
      const input_ids = required(inputs, 'input_ids');
      const attention_mask = required(inputs, 'attention_mask');
      return { ...tower.forward(weights, { input_ids, attention_mask }, context()) };
    },
    {
      inputs: {
        input_ids: { shape: ['batch', 'sequence'], dtype: 'int64' },
        attention_mask: { shape: ['batch', 'sequence'], dtype: 'int64' },
      },
    },
  );
}

/** @param {number} batch @returns {Record<string, ort.Tensor>} */
function feeds(batch) {
  if (timed.kind === 'vision') {
    const length = batch * 3 * IMAGE_SIZE ** 2;
    const data = Float32Array.from({ length }, (_, i) => ((i * 7919) % 2003) / 1001.5 - 1);
    return { pixel_values: new ort.Tensor('float32', data, [batch, 3, IMAGE_SIZE, IMAGE_SIZE]) };
  }
  const length = batch * timed.tokens;
  const ids = BigInt64Array.from({ length }, (_, i) => BigInt(5 + ((i * 31) % 50_000)));
  const dims = [batch, timed.tokens];
  return {
    input_ids: new ort.Tensor('int64', ids, dims),
    attention_mask: new ort.Tensor('int64', new BigInt64Array(length).fill(1n), dims),
  };
}

const session = await ort.InferenceSession.create(await exported());
await answerRequests(async (_request, batch) => {
  const input = feeds(batch);
  const ms = await timeRuns(repeats, async () => void (await session.run(input)));
  return { ms };
});

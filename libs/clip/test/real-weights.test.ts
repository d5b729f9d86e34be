import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-onnxruntime';
import { beforeAll, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../src/safetensors/index.js';
import { meanOverTokens } from '../src/model/dual-encoder.js';
import { l2Normalize } from '../src/model/projection-head.js';
import { loadTextTower, loadVisionTower } from '../src/model/load-model.js';
import { linear } from '../src/model/ops/index.js';
import { toTensor } from './parity/golden.js';
import { createContext } from '../src/model/context.js';
import type { HostTensor } from '../src/model/types.js';

const data = process.env.CLIP_TEST_DATA;

describe.skipIf(!data)('published weights (needs CLIP_TEST_DATA)', () => {
  beforeAll(async () => {
    await tf.setBackend('onnxruntime');
  });

  it('MobileNetV2 on photos: the features, the logits and the five best labels', async () => {
    const folder = join(data!, 'weights/mobilenet-v2-imagenet');
    const { tower, tensors } = await loadVisionTower(folder);
    const golden = await SafetensorsFile.open(join(folder, 'golden.safetensors'));
    const weights = await SafetensorsFile.open(join(folder, 'model.safetensors'));
    const pixels = tf.tensor(await golden.readFloat32('pixel_values'), [7, 3, 224, 224]);
    const { pooler_output } = tower.forward(toTensors(tensors), { pixel_values: pixels }, createContext());
    const logits = linear(
      pooler_output!,
      tf.tensor(await weights.readFloat32('classifier.weight'), [1000, 1280]),
      tf.tensor(await weights.readFloat32('classifier.bias')),
    );
    expect(difference(await pooler_output!.data(), await golden.readFloat32('pooler_output'))).toBeLessThan(
      1e-4,
    );
    expect(difference(await logits.data(), await golden.readFloat32('logits'))).toBeLessThan(1e-4);
    const { values, indices } = tf.topk(tf.softmax(logits), 5);
    const [scores, classes] = [await values.array(), await indices.array()] as [number[][], number[][]];
    const { id2label } = readJson(join(folder, 'config.json')) as { id2label: Record<string, string> };
    const expected = readJson(join(folder, 'golden.json')) as { top5: [string, number][] }[];
    expect(classes.map((row) => row.map((id) => id2label[id]))).toEqual(
      expected.map(({ top5 }) => top5.map(([label]) => label)),
    );
    scores.forEach((row, i) =>
      row.forEach((score, k) => expect(score).toBeCloseTo(expected[i]!.top5[k]![1], 3)),
    );
    await Promise.all([golden.close(), weights.close()]);
  });

  it('MiniLM on texts: the mean-pooled embeddings', async () => {
    const folder = join(data!, 'weights/minilm-l6');
    const { tower, tensors } = await loadTextTower(folder);
    const golden = await SafetensorsFile.open(join(folder, 'golden.safetensors'));
    const N = 8; // of 24 texts
    const ids = async (name: string) =>
      tf.tensor(Int32Array.from((await golden.readFloat32(name)).subarray(0, N * 128)), [N, 128], 'int32');
    const inputs = { input_ids: await ids('input_ids'), attention_mask: await ids('attention_mask') };
    const { last_hidden_state } = tower.forward(toTensors(tensors), inputs, createContext());
    const embeddings = l2Normalize(meanOverTokens(last_hidden_state, inputs.attention_mask));
    const expected = (await golden.readFloat32('embeddings')).subarray(0, N * 384);
    expect(difference(await embeddings.data(), expected)).toBeLessThan(1e-4);
    await golden.close();
  });
});

function toTensors(tensors: Record<string, HostTensor>): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toTensor(tensor)]));
}

/** The largest difference over the largest expected magnitude. */
function difference(found: ArrayLike<number>, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[i]!)), 0) / scale;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import { exportOnnx, joinModels } from '../index.js';

it('joins two models that share names, without a copy of their weights', async () => {
  await tf.setBackend('onnxruntime');
  const D = 4000;
  const weights = (seed: number) =>
    tf.tensor2d(
      Float32Array.from({ length: 3 * D }, (_, i) => Math.sin(seed * i)),
      [3, D],
    );
  const tower = (input: string, output: string, w: tf.Tensor2D) =>
    exportOnnx((inputs) => ({ [output]: tf.relu(tf.matMul(inputs[input] as tf.Tensor2D, w)) }), {
      inputs: { [input]: { shape: ['batch', 3], dtype: 'float32' } },
    });
  const [a, b] = [weights(1), weights(2)];
  const [left, right] = [await tower('x', 'left', a), await tower('y', 'right', b)];
  const joint = joinModels(
    [
      { model: left, file: 'left.onnx', prefix: 'left/', keep: ['left'] },
      { model: right, file: 'right.onnx', prefix: 'right/', keep: ['right'] },
    ],
    {
      constants: { factor: 3 },
      nodes: [
        { op: 'Transpose', inputs: ['right'], output: 'turned' },
        { op: 'MatMul', inputs: ['left', 'turned'], output: 'product' },
        { op: 'Mul', inputs: ['product', 'factor'], output: 'scaled' },
      ],
      outputs: { scaled: ['left/batch', 'right/batch'] },
    },
  );
  const folder = await mkdtemp(join(tmpdir(), 'join-models-'));
  try {
    for (const [name, bytes] of Object.entries({ left, right, joint }))
      await writeFile(join(folder, `${name}.onnx`), bytes);
    const session = await InferenceSession.create(join(folder, 'joint.onnx'));
    expect([session.inputNames, session.outputNames]).toEqual([['x', 'y'], ['scaled']]);
    const x = Float32Array.from({ length: 6 }, (_, i) => i - 2);
    const y = Float32Array.from({ length: 3 }, (_, i) => i + 1);
    const found = await session.run({
      x: new Tensor('float32', x, [2, 3]),
      y: new Tensor('float32', y, [1, 3]),
    });
    const wanted = tf.tidy(() => {
      const rows = tf.relu(tf.matMul(tf.tensor2d(x, [2, 3]), a));
      const columns = tf.relu(tf.matMul(tf.tensor2d(y, [1, 3]), b));
      return tf.mul(tf.matMul(rows, columns, false, true), 3).dataSync();
    });
    expect(found.scaled!.dims).toEqual([2, 1]);
    wanted.forEach((value, i) => expect(found.scaled!.data[i]).toBeCloseTo(value, 1));
    expect(joint.byteLength).toBeLessThan(left.byteLength / 10);
  } finally {
    await rm(folder, { recursive: true });
  }
});

import * as ort from 'onnxruntime-node';
import * as tf from '@tensorflow/tfjs-core';
import { exportOnnx } from 'tfjs-onnxruntime';
import { beforeAll, describe, expect, it } from 'vitest';
import { eachOnce, goldenFolders } from './golden-folders.js';
import { readGolden, toTensor, worstDifference, type Section } from './parity/golden.js';
import { readSubject } from './parity/subject.js';
import { createContext } from '../src/model/context.js';

describe('every tower as an ONNX model with open batch and token axes', () => {
  beforeAll(async () => {
    await tf.setBackend('onnxruntime');
  });

  it.each(eachOnce(goldenFolders('models')))(
    '$name: ONNX Runtime gives the golden outputs',
    async ({ path }) => {
      const subject = await readSubject(path);
      const golden = await readGolden(path);
      const names = [...golden.output!.keys()];
      const model = await exportOnnx(
        (inputs) => {
          const weights = Object.fromEntries(
            Object.entries(subject.tensors).map(([name, tensor]) => [name, toTensor(tensor)]),
          );
          const outputs = subject.forward(weights, inputs, createContext());
          return Object.fromEntries(names.map((name) => [name, outputs[name]!]));
        },
        { inputs: inputSpecs(golden.input!) },
      );
      const session = await ort.InferenceSession.create(model);
      const feeds = Object.fromEntries(
        [...golden.input!].map(([name, { data: values, shape, dtype }]) => [
          name,
          dtype === 'int32'
            ? new ort.Tensor('int64', BigInt64Array.from(values, BigInt), shape)
            : new ort.Tensor('float32', values as Float32Array, shape),
        ]),
      );
      const results = await session.run(feeds);
      const found = new Map(names.map((name) => [name, results[name]!.data as Float32Array]));
      await session.release();
      expect(worstDifference(found, golden.output!, 0).value).toBeLessThan(1e-4);
    },
  );
});

/**
 * Axis 0 is the batch; axis 1 of texts the tokens. The two sides of a two-tower model have batches of their own.
 * Texts come first: the exporter tries later axes at larger sizes, and tiny towers take few tokens.
 */
function inputSpecs(inputs: Section) {
  const textsFirst = [...inputs].sort(([, a], [, b]) => b.dtype.localeCompare(a.dtype));
  return Object.fromEntries(
    textsFirst.map(([name, { shape, dtype }]) => [
      name,
      dtype === 'int32'
        ? { shape: ['texts', 'tokens'], dtype: 'int64' as const }
        : { shape: ['images', ...shape.slice(1)], dtype: 'float32' as const },
    ]),
  );
}

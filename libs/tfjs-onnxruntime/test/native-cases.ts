/** Functions that run once with the native addon and once without it, for tests that compare the two. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { loadNative } from 'ort-native';
import { beforeAll, describe, expect, it } from 'vitest';
import { ReplayedFunction, type HostTensor, type ReplayOptions } from '../src/index.js';

export type Tensors = Record<string, tf.Tensor>;
export interface NativeCase {
  inputs: Record<string, HostTensor>;
  /** Everything that is compared, values and gradients; shapes as in `results`. */
  f: (inputs: Tensors) => Tensors;
  results: Record<string, number[]>;
  /** Relative to the largest element. */
  tolerance?: number;
}

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
export const numbers = (shape: number[], salt: number): HostTensor => ({
  data: Float32Array.from({ length: size(shape) }, (_, i) => 3 * Math.sin(12.9898 * (i + 1) + 78.233 * salt)),
  shape,
  dtype: 'float32',
});
export const kernel = (name: string, inputs: Tensors, attributes: tf.NamedAttrMap): tf.Tensor =>
  tf.engine().runKernel<tf.Tensor>(name, inputs, attributes);

/** The gradients of Σ y∘weight by these inputs. */
export function gradients(
  f: (inputs: Tensors) => tf.Tensor,
  inputs: Tensors,
  names: string[],
  weight: tf.Tensor,
): Tensors {
  const loss = (...args: tf.Tensor[]) =>
    tf.sum<tf.Scalar>(
      tf.mul(f({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, args[i]!])) }), weight),
    );
  const found = tf.grads(loss)(names.map((name) => inputs[name]!));
  return Object.fromEntries(names.map((name, i) => [`d_${name}`, found[i]!]));
}

/** Results go into the state, which may hold NaN. */
async function evaluate(
  { inputs, f, results }: NativeCase,
  options: ReplayOptions,
): Promise<Record<string, HostTensor>> {
  const state = Object.fromEntries(
    Object.entries(results).map(([name, shape]) => [name, { ...numbers(shape, 0) }]),
  );
  const step = new ReplayedFunction((_, tensors) => ({ state: f(tensors), outputs: {} }), state, options);
  expect(step.isNative).toBe(options.native);
  await step.run(inputs);
  const found = step.readState();
  step.dispose();
  return found;
}

export function closeTo(found: HostTensor, expected: HostTensor, name: string, tolerance = 3e-6): void {
  const wanted = expected.data as Float32Array;
  const scale = wanted.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 1);
  let worst = 0;
  wanted.forEach((e, i) => {
    const x = found.data[i] as number;
    if (x === e || (Number.isNaN(e) && Number.isNaN(x))) return;
    const error = Math.abs(x - e) / scale;
    worst = error <= worst ? worst : error;
  });
  expect(worst, name).toBeLessThan(tolerance);
}

/** By their bytes: toEqual takes seconds for hundreds of thousands of numbers. */
export function expectSameBits(found: HostTensor, expected: HostTensor, name: string): void {
  const bytes = ({ data }: HostTensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  expect(found.shape, name).toEqual(expected.shape);
  expect(bytes(found).equals(bytes(expected)), name).toBe(true);
}

export function withNaN(shape: number[]): HostTensor {
  const tensor = numbers(shape, 1);
  tensor.data[7] = NaN;
  return tensor;
}

const native = loadNative();

/** Values and gradients with the addon against those of the composed ops, and with one thread against four. */
export function agreesWithComposedOps(title: string, cases: Readonly<Record<string, NativeCase>>): void {
  const reason = native.runtime ? '' : ` (skipped: ${native.reason})`;
  describe.skipIf(native.runtime === undefined)(`${title}${reason}`, () => {
    beforeAll(async () => {
      await tf.setBackend('onnxruntime');
    });

    for (const [name, each] of Object.entries(cases)) {
      it(`${name} agrees with the composed ops in values and gradients`, async () => {
        const expected = await evaluate(each, { native: false });
        const found = await evaluate(each, { native: true });
        for (const key of Object.keys(each.results))
          closeTo(found[key]!, expected[key]!, key, each.tolerance);
      });

      it(`${name} is the same bit for bit with any number of threads`, async () => {
        const [one, four] = await Promise.all(
          [1, 4].map((intraOpNumThreads) =>
            evaluate(each, { native: true, sessionOptions: { intraOpNumThreads } }),
          ),
        );
        for (const key of Object.keys(each.results)) expectSameBits(four![key]!, one![key]!, key);
      });
    }
  });
}

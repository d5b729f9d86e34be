/** Compares kernels of the backend with those of tfjs's own cpu backend. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { afterAll, describe, expect, it } from 'vitest';
import '../src/index.js';

type T = tf.Tensor;
export interface Case {
  shapes: number[][];
  f: (...x: T[]) => T | T[];
  /** Operands in (0.1, 2) instead of (−2, 2). */
  positive?: boolean;
  /** false: values only */
  grad?: boolean;
}

/** The same pseudo-random numbers on every backend, in (−2, 2) or (0.1, 2). */
function numbers(size: number, salt: number, positive: boolean): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => {
    const u = Math.abs(Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453) % 1;
    return positive ? 0.1 + 1.9 * u : 4 * u - 2;
  });
}

function evaluate(backend: string, { shapes, f, positive = false, grad = true }: Case): number[][] {
  void tf.setBackend(backend);
  return tf.tidy(() => {
    const x = shapes.map((shape, i) => tf.tensor(numbers(tf.util.sizeFromShape(shape), i, positive), shape));
    const y = [f(...x)].flat();
    const results = y.map((t) => [...t.shape, ...t.dataSync()]);
    if (grad) {
      const weighted = (...args: T[]): tf.Scalar => {
        const outputs = [f(...args)].flat();
        const sums = outputs.map((t, i) =>
          tf.sum(tf.mul(t, tf.tensor(numbers(t.size, 9 + i, false), t.shape))),
        );
        return tf.addN(sums) as tf.Scalar;
      };
      for (const g of tf.grads(weighted)(x)) results.push([...g.shape, ...g.dataSync()]);
    }
    return results;
  });
}

/** One test for each case: values and gradients agree to 2e-5, relative to what the cpu backend gives. */
export function agreesWithCpu(subject: string, cases: Readonly<Record<string, Case>>): void {
  describe(`${subject} agree with the cpu backend`, () => {
    afterAll(() => {
      void tf.setBackend('onnxruntime');
    });
    it.each(Object.entries(cases))('%s', (_, testCase) => {
      const expected = evaluate('cpu', testCase);
      const found = evaluate('onnxruntime', testCase);
      expect(found.length).toBe(expected.length);
      found.forEach((values, i) => {
        expect(values.length).toBe(expected[i]!.length);
        const errors = values.map((v, k) => relativeError(v, expected[i]![k]!));
        expect(Math.max(0, ...errors), `result ${i}`).toBeLessThan(2e-5);
      });
    });
  });
}

function relativeError(found: number, expected: number): number {
  if (Object.is(found, expected) || (Number.isNaN(found) && Number.isNaN(expected))) return 0;
  return Math.abs(found - expected) / Math.max(1, Math.abs(expected));
}

/** The fused kernels against their definitions in plain tfjs ops on the cpu backend. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { afterAll, describe, expect, it } from 'vitest';
import '../index.js';

type T = tf.Tensor;
const run = <R = T>(name: string, inputs: Record<string, T>, attrs: tf.NamedAttrMap) =>
  tf.engine().runKernel(name, inputs, attrs) as unknown as R;

const tensor = (shape: number[], salt: number): T =>
  tf.tensor(
    Float32Array.from(
      { length: tf.util.sizeFromShape(shape) },
      (_, i) => Math.sin(i * 1.7 + salt * 3.1) * 1.3,
    ),
    shape,
  );

function valuesAndGradients(backend: string, f: (...x: T[]) => T, shapes: number[][]): number[][] {
  void tf.setBackend(backend);
  return tf.tidy(() => {
    const x = shapes.map(tensor);
    const y = f(...x);
    const grads = tf.grads((...args: T[]) => tf.sum(tf.mul(f(...args), tensor(y.shape, 7))))(x);
    return [y, ...grads].map((t) => [...t.shape, ...t.dataSync()]);
  });
}

function compare(fused: (...x: T[]) => T, plain: (...x: T[]) => T, shapes: number[][]): void {
  const expected = valuesAndGradients('cpu', plain, shapes);
  const found = valuesAndGradients('onnxruntime', fused, shapes);
  found.forEach((values, i) => {
    expect(values.length).toBe(expected[i]!.length);
    values.forEach((v, k) => {
      expect(v, `result ${i}, element ${k}`).toBeCloseTo(expected[i]![k]!, 4);
    });
  });
}

const splitHeads = (x: T, H: number): T =>
  tf.transpose(tf.reshape(x, [x.shape[0], x.shape[1]!, H, x.shape[2]! / H]), [0, 2, 1, 3]);

function plainAttention(q: T, k: T, v: T, mask: T | undefined, H: number, scale: number): T {
  const scores = tf.mul(tf.matMul(splitHeads(q, H), splitHeads(k, H), false, true), scale);
  const weights = tf.softmax(mask ? tf.add(scores, mask) : scores);
  return tf.reshape(tf.transpose(tf.matMul(weights, splitHeads(v, H)), [0, 2, 1, 3]), q.shape);
}

describe('fused kernels', () => {
  afterAll(() => {
    void tf.setBackend('onnxruntime');
  });

  it('FusedLayerNorm is layer normalisation with its gradients', () => {
    compare(
      (x, gamma, beta) => run('FusedLayerNorm', { x: x, gamma: gamma, beta: beta }, { epsilon: 1e-5 }),
      (x, gamma, beta) => {
        const centred = tf.sub(x, tf.mean(x, -1, true));
        const variance = tf.mean(tf.square(centred), -1, true);
        return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5))), gamma), beta);
      },
      [[2, 3, 8], [8], [8]],
    );
  });

  it('FusedGelu is x·Φ(x)', () => {
    compare(
      (x) => run('FusedGelu', { x: x }, { approximate: 'none' }),
      (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
      [[4, 5]],
    );
  });

  it('FusedGelu with tanh is the tanh approximation', () => {
    compare(
      (x) => run('FusedGelu', { x: x }, { approximate: 'tanh' }),
      (x) => {
        const inner = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), 0.044715), 1)), Math.sqrt(2 / Math.PI));
        return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
      },
      [[4, 5]],
    );
  });

  it('FusedGelu with sigmoid is x·σ(1.702 x)', () => {
    compare(
      (x) => run('FusedGelu', { x: x }, { approximate: 'sigmoid' }),
      (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
      [[4, 5]],
    );
  });

  it('FusedAttention without a mask', () => {
    compare(
      (query, key, value) =>
        run('FusedAttention', { query: query, key: key, value: value }, { numHeads: 2, scale: 0.5 }),
      (q, k, v) => plainAttention(q, k, v, undefined, 2, 0.5),
      [
        [2, 3, 8],
        [2, 5, 8],
        [2, 5, 8],
      ],
    );
  });

  it('FusedAttention with a learned mask per head', () => {
    compare(
      (query, key, value, mask) =>
        run(
          'FusedAttention',
          { query: query, key: key, value: value, mask: mask },
          { numHeads: 2, scale: 0.5 },
        ),
      (q, k, v, mask) => plainAttention(q, k, v, mask, 2, 0.5),
      [
        [2, 3, 8],
        [2, 3, 8],
        [2, 3, 8],
        [1, 2, 3, 3],
      ],
    );
  });

  it('large tensors, whose gradients run in blocks of rows, get the same gradients', async () => {
    await tf.setBackend('onnxruntime');
    const N = 3000;
    const D = 384;
    const inputs = [[N, D], [D], [D]].map(tensor);
    const fused = ([x, gamma, beta]: T[]) =>
      run(
        'FusedGelu',
        { x: run('FusedLayerNorm', { x: x!, gamma: gamma!, beta: beta! }, { epsilon: 1e-5 }) },
        { approximate: 'none' },
      );
    const plain = ([x, gamma, beta]: T[]) => {
      const centred = tf.sub(x!, tf.mean(x!, -1, true));
      const variance = tf.mean(tf.square(centred), -1, true);
      const y = tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5))), gamma!), beta!);
      return tf.mul(tf.mul(y, 0.5), tf.add(tf.erf(tf.mul(y, Math.SQRT1_2)), 1));
    };
    const weights = tensor([N, D], 5);
    const gradients = (f: (x: T[]) => T) =>
      tf
        .grads((...x: T[]) => tf.sum(tf.mul(f(x), weights)))(inputs)
        .map((t) => Array.from(t.dataSync()));
    const expected = gradients(plain);
    gradients(fused).forEach((values, i) => {
      const scale = expected[i]!.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const worst = values.reduce((most, v, k) => Math.max(most, Math.abs(v - expected[i]![k]!)), 0);
      expect(worst / scale, `gradient ${i}`).toBeLessThan(1e-5);
    });
  });

  it('gradients survive a read between forward and backward', () => {
    void tf.setBackend('onnxruntime');
    const x = tensor([2, 3, 8], 1);
    const ones = tf.ones([8]);
    const zeros = tf.zeros([8]);
    const f = (read: boolean) => (input: T) => {
      const y = run('FusedLayerNorm', { x: input, gamma: ones, beta: zeros }, { epsilon: 1e-5 });
      const z = run('FusedAttention', { query: y, key: y, value: y }, { numHeads: 2, scale: 0.5 });
      if (read) z.dataSync();
      return tf.sum(tf.square(z));
    };
    const direct = tf.grad(f(false))(x).dataSync();
    const interrupted = tf.grad(f(true))(x).dataSync();
    interrupted.forEach((v, i) => {
      expect(v).toBeCloseTo(direct[i]!, 5);
    });
  });

  it('FusedDropout keeps the expected fraction, is repeatable, and changes with seed and salt', () => {
    void tf.setBackend('onnxruntime');
    const x = tf.ones([64, 48]);
    const drop = (seed: number, salt: number) =>
      run('FusedDropout', { x, seed: tf.scalar(seed, 'int32') }, { rate: 0.1, salt }).dataSync();
    const mask = drop(7, 1);
    const share = mask.filter((v) => v === 0).length / mask.length;
    expect(share).toBeGreaterThan(0.08);
    expect(share).toBeLessThan(0.12);
    expect(Math.max(...mask)).toBeCloseTo(1 / 0.9, 5);
    expect([...drop(7, 1)]).toEqual([...mask]);
    expect([...drop(8, 1)]).not.toEqual([...mask]);
    expect([...drop(7, 2)]).not.toEqual([...mask]);
    const gradient = tf.grad((v: T) =>
      tf.sum(run('FusedDropout', { x: v, seed: tf.scalar(7, 'int32') }, { rate: 0.1, salt: 1 })),
    )(x);
    expect([...gradient.dataSync()]).toEqual([...mask]);
  });

  it('FusedDropout drops independently over rows, columns and steps', () => {
    void tf.setBackend('onnxruntime');
    const x = tf.ones([64, 64]);
    const masks = Array.from({ length: 40 }, (_, seed) =>
      run('FusedDropout', { x, seed: tf.scalar(seed * 17, 'int32') }, { rate: 0.5, salt: 3 }).dataSync(),
    );
    const kept = (row: number, column: number, step: number) =>
      masks[step]![row * 64 + column]! > 0 ? 1 : -1;
    const correlation = (pairs: [number, number][]) =>
      Math.abs(pairs.reduce((sum, [a, b]) => sum + a * b, 0) / pairs.length);
    const over = (f: (i: number, step: number) => [number, number]) =>
      correlation(masks.flatMap((_, step) => Array.from({ length: 64 }, (__, i) => f(i, step))));
    expect(over((i, s) => [kept(i, 3, s), kept(i, 4, s)])).toBeLessThan(0.1);
    expect(over((i, s) => [kept(3, i, s), kept(4, i, s)])).toBeLessThan(0.1);
    expect(over((i, s) => [kept(i, i, s), kept(i, i, (s + 1) % 40)])).toBeLessThan(0.1);
  });

  it('FusedAdamW takes the same step as PyTorch', () => {
    void tf.setBackend('onnxruntime');
    const [param, m, v] = run<T[]>(
      'FusedAdamW',
      {
        param: tf.tensor1d([1, -2]),
        m: tf.tensor1d([0.1, 0]),
        v: tf.tensor1d([0.01, 0]),
        grad: tf.tensor1d([0.5, -1]),
        lr: tf.scalar(0.1),
        clip: tf.scalar(0.5),
        correction1: tf.scalar(1 / (1 - 0.9 ** 2)),
        correction2: tf.scalar(1 / (1 - 0.999 ** 2)),
      },
      { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
    );
    const expected = [1, -2].map((p, i) => {
      const g = [0.25, -0.5][i]!;
      const m1 = 0.9 * [0.1, 0][i]! + 0.1 * g;
      const v1 = 0.999 * [0.01, 0][i]! + 0.001 * g * g;
      const step = (0.1 / (1 - 0.9 ** 2)) * m1;
      return [p * (1 - 0.1 * 0.01) - step / (Math.sqrt(v1) / Math.sqrt(1 - 0.999 ** 2) + 1e-8), m1, v1];
    });
    [param!, m!, v!].forEach((t, k) => {
      [...t.dataSync()].forEach((x, i) => {
        expect(x).toBeCloseTo(expected[i]![k]!, 5);
      });
    });
  });
});

import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { dumpGraph, profile, stats } from '../index.js';
import { EngineError } from '../errors.js';
import type { OnnxRuntimeBackend } from './backend.js';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});
const backend = () => tf.backend() as OnnxRuntimeBackend;

describe('the lazy backend', () => {
  it('computes nothing until a tensor is read, synchronously if asked', () => {
    const runs = backend().runner.counters.runs;
    const y = tf.add(tf.mul(tf.tensor([1, 2, 3]), 2), 1);
    expect(backend().runner.counters.runs).toBe(runs);
    expect([...y.dataSync()]).toEqual([3, 5, 7]);
    expect(backend().runner.counters.runs).toBe(runs + 1);
  });

  it('reuses the session of a graph with the same structure', () => {
    const step = (x: number) => tf.tidy(() => tf.sum(tf.exp(tf.tensor([x, 1]))).dataSync()[0]!);
    step(0);
    const misses = backend().runner.sessions.misses;
    expect(step(1)).toBeCloseTo(2 * Math.E, 5);
    expect(backend().runner.sessions.misses).toBe(misses);
  });

  it('keeps what a pending graph needs when its tensors are disposed', () => {
    const x = tf.tensor([1, 2]);
    const y = tf.square(x);
    const z = tf.add(y, 1);
    x.dispose();
    y.dispose();
    expect([...z.dataSync()]).toEqual([2, 5]);
  });

  it('is not affected by later changes to the array that a tensor was made from', () => {
    const source = Float32Array.of(1, 2);
    const y = tf.add(tf.tensor(source), 1);
    source.fill(100);
    expect([...y.dataSync()]).toEqual([2, 3]);
  });

  it('leaves the tensor count as it was after a tidy', () => {
    const before = tf.memory().numTensors;
    const ids = backend().numDataIds();
    tf.tidy(() => {
      tf.grad((x: tf.Tensor) => tf.sum(tf.square(x)))(tf.tensor([1, 2, 3])).dataSync();
    });
    expect(tf.memory().numTensors).toBe(before);
    expect(backend().numDataIds()).toBe(ids);
  });

  it('runs by itself when a loop never reads', () => {
    const runs = backend().runner.counters.runs;
    let x: tf.Tensor = tf.zeros([2]);
    for (let i = 0; i < 10000; i++) {
      const next: tf.Tensor = tf.add(x, 1);
      x.dispose();
      x = next;
    }
    expect(backend().runner.counters.runs).toBeGreaterThan(runs);
    expect([...x.dataSync()]).toEqual([10000, 10000]);
  }, 60000);

  it('holds tensors without elements', () => {
    const empty = tf.zeros([0, 3]);
    expect(tf.mul(empty, 2).shape).toEqual([0, 3]);
    expect([...tf.concat([empty as tf.Tensor2D, tf.ones([1, 3])]).dataSync()]).toEqual([1, 1, 1]);
    expect(tf.sum(empty).dataSync()[0]).toBe(0);
  });

  it('names kernel, shape and dtype when it cannot compute', () => {
    const text = tf.tensor(['a', 'b']);
    const failure = (() => {
      try {
        tf.engine().runKernel('Exp', { x: text });
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(failure).toBeInstanceOf(EngineError);
    expect((failure as EngineError).code).toBe('UNSUPPORTED_DTYPE');
    expect((failure as EngineError).message).toContain('Exp(string[2])');
  });

  it('sets an op aside that failed: reading its result fails, and nothing else does', () => {
    const outside = tf.gather(tf.tensor([1, 2]), tf.add(tf.scalar(4, 'int32'), tf.scalar(1, 'int32')));
    expect([...tf.add(tf.tensor([1]), 1).dataSync()]).toEqual([2]);
    expect(backend().trace({ name: 'a later trace', native: false }, () => 'recorded')).toBe('recorded');
    const runs = backend().runner.counters.runs;
    expect([...tf.add(tf.tensor([1]), 2).dataSync()]).toEqual([3]);
    expect(backend().runner.counters.runs).toBe(runs + 1);
    expect(() => outside.dataSync()).toThrow(/Gather/);
    expect(() => tf.mul(outside, 2).dataSync()).toThrow(/Gather/);
    outside.dispose();
  });

  it('counts sessions, runs and tensors, profiles the last graph and dumps it', () => {
    tf.tidy(() => tf.matMul(tf.ones([8, 8]), tf.ones([8, 8])).dataSync());
    const before = stats();
    expect(before.sessions).toBeGreaterThan(0);
    expect(before.runs).toBeGreaterThan(0);
    expect(before.tensors).toBe(tf.memory().numTensors);
    expect(profile().some((e) => e.kernel === 'BatchMatMul')).toBe(true);
    expect(dumpGraph().byteLength).toBeGreaterThan(50);
  });

  it('warns of NaN in debug mode, naming the kernel', async () => {
    const warnings: string[] = [];
    const original = console.warn;
    console.warn = (message: string) => warnings.push(message);
    try {
      tf.enableDebugMode();
      const log = tf.log(tf.tensor1d([-1]));
      expect(log.dataSync()[0]).toBeNaN();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(warnings.join()).toContain("NaN in the result of 'Log'");
    } finally {
      tf.env().set('DEBUG', false);
      console.warn = original;
    }
  });
});

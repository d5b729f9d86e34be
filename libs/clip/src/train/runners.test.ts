import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { ReplayedFunction } from 'tfjs-onnxruntime';
import { beforeAll, describe, expect, it } from 'vitest';
import { createEagerRunner } from './eager-runner.js';
import { float32, numberOf, scalar, type HostTensors } from './host-tensor.js';
import type { ProgramFunction, Runner } from './program.js';
import { asOneFunction, createReplayedRunner } from './replayed-runner.js';

/** Two functions with the same inputs over one state: only their names tell them apart. */
interface Counter {
  add: ProgramFunction<'x', 'total'>;
  multiply: ProgramFunction<'x', 'product'>;
}

const counter: Counter = {
  add: ({ total, ...rest }, { x }) => {
    const sum = tf.add(total!, tf.sum(x));
    return { state: { ...rest, total: sum }, outputs: { total: tf.clone(sum) } };
  },
  multiply: ({ total }, { x }) => ({ state: {}, outputs: { product: tf.mul(total!, x) } }),
};
const first = (): HostTensors => ({ total: scalar(1), untouched: scalar(7) });

const RUNNERS = [
  { backend: 'cpu', open: () => createEagerRunner(counter, first()) },
  {
    backend: 'onnxruntime',
    open: () => {
      const state = first() as ConstructorParameters<typeof ReplayedFunction>[1];
      return createReplayedRunner(counter, new ReplayedFunction(asOneFunction(counter), state));
    },
  },
];

describe.each(RUNNERS)('a program on $backend', ({ backend, open }) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
  });

  async function withRunner(use: (runner: Runner<Counter>) => Promise<void>): Promise<void> {
    const before = tf.memory().numTensors;
    const runner = open();
    await use(runner);
    runner.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }

  it('runs the function that is named, over one state', () =>
    withRunner(async ({ run }) => {
      const x = float32(Float32Array.of(2, 3), [2]);
      expect([...(await run.multiply({ x })).product.data]).toEqual([2, 3]);
      expect(numberOf((await run.add({ x })).total)).toBe(6);
      expect([...(await run.multiply({ x })).product.data]).toEqual([12, 18]);
    }));

  it('keeps the state that a function does not return, and gives copies of it', () =>
    withRunner(async ({ run, readState }) => {
      await run.multiply({ x: scalar(2) });
      await run.add({ x: scalar(2) });
      const { total, untouched } = await readState(['total', 'untouched']);
      expect([numberOf(total!), numberOf(untouched!)]).toEqual([3, 7]);
      total!.data[0] = 100;
      expect(numberOf((await readState(['total'])).total!)).toBe(3);
    }));

  it('holds as many tensors after many runs as after one', () =>
    withRunner(async ({ run }) => {
      await run.add({ x: scalar(1) });
      const once = tf.memory().numTensors;
      for (let i = 0; i < 5; i++) await run.add({ x: scalar(1) });
      expect(tf.memory().numTensors).toBe(once);
    }));
});

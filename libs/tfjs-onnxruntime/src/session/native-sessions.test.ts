/** What a session of the native addon takes, it gives back: a thousand are made, run and released. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { loadNative } from 'ort-native';
import { describe, expect, it } from 'vitest';
import { kernel, numbers } from '../../test/native-cases.js';
import { ReplayedFunction } from '../index.js';

const D = 1024;
/** With fused ops, which have kernels of their own in each session. */
async function useOnce(): Promise<void> {
  const step = new ReplayedFunction(
    ({ table }, { x, gamma }) => {
      const sum = tf.add(x!, x!);
      const y = kernel('FusedLayerNorm', { x: sum, gamma: gamma!, beta: gamma! }, { epsilon: 1e-5 });
      return { state: { table: tf.add(table!, tf.sum(y)) }, outputs: {} };
    },
    { table: numbers([16, D], 1) },
    { native: true, sessionOptions: { intraOpNumThreads: 1 } },
  );
  await step.run({ x: numbers([2, D], 1), gamma: numbers([D], 2) });
  step.dispose();
}

describe.skipIf(loadNative().runtime === undefined)('sessions of the native addon', () => {
  it('leave no memory behind', { timeout: 60_000 }, async () => {
    await tf.setBackend('onnxruntime');
    for (let i = 0; i < 200; i++) await useOnce();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 800; i++) await useOnce();
    const grownMb = (process.memoryUsage.rss() - before) / 2 ** 20;
    expect(grownMb).toBeLessThan(24);
  });
});

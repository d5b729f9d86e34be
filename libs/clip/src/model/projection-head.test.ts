import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { l2Normalize } from './projection-head.js';

describe('unit norm', () => {
  it('scales rows, and leaves a row of zeros with a finite gradient', () => {
    const x = tf.tensor2d([
      [3, -4],
      [0, 0],
    ]);
    const towards = tf.tensor2d([
      [1, 0],
      [1, 2],
    ]);
    const { value, grad } = tf.valueAndGrad((rows) => tf.sum(tf.mul(l2Normalize(rows), towards)))(x);
    expect([...l2Normalize(x).dataSync()]).toEqual([expect.closeTo(0.6, 6), expect.closeTo(-0.8, 6), 0, 0]);
    expect(value.dataSync()[0]).toBeCloseTo(0.6, 6);
    // Of x/|x| towards e: (e - (e·u) u) / |x|.
    const gradient = [(1 - 0.36) / 5, (0 + 0.48) / 5, 1, 2];
    expect([...grad.dataSync()]).toEqual(gradient.map((entry): unknown => expect.closeTo(entry, 6)));
  });
});

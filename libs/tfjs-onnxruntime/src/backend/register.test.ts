import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { registerOnnxRuntimeBackend, stats } from '../index.js';

describe('registering the backend', () => {
  it('takes options before the first use and refuses them afterwards', async () => {
    registerOnnxRuntimeBackend({ sessionCapacity: 7 });
    await tf.setBackend('onnxruntime');
    expect(stats().sessionCapacity).toBe(7);
    expect(() => {
      registerOnnxRuntimeBackend({ sessionCapacity: 8 });
    }).toThrow(/in use/);
  });
});

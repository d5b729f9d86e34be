/** Exported models in a runtime other than the one that trained them. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import * as web from 'onnxruntime-web/wasm';
import { exportOnnx } from '../index.js';

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

describe('exported models', () => {
  it('run in onnxruntime-web with the same result', async () => {
    const filter = tf.tensor(
      Float32Array.from({ length: 4 * 4 * 3 * 8 }, (_, i) => Math.sin(i)),
      [4, 4, 3, 8],
    );
    const gamma = tf.ones([8]);
    const beta = tf.zeros([8]);
    const tower = ({ pixel_values }: tf.NamedTensorMap) => {
      const pixels = tf.transpose(pixel_values as tf.Tensor4D, [0, 2, 3, 1]);
      const patches = tf.conv2d(pixels, filter as tf.Tensor4D, 4, 'valid');
      const [B, P, Q, D] = patches.shape;
      const x = tf
        .engine()
        .runKernel<tf.Tensor>(
          'FusedLayerNorm',
          { x: tf.reshape(patches, [B, P * Q, D]), gamma, beta },
          { epsilon: 1e-5 },
        );
      const y = tf.engine().runKernel<tf.Tensor>('FusedGelu', { x }, { approximate: 'none' });
      return { image_embeds: tf.mean(y, 1) };
    };
    const model = await exportOnnx(tower, {
      inputs: { pixel_values: { shape: ['batch', 3, 8, 8], dtype: 'float32' } },
    });
    web.env.wasm.numThreads = 1;
    const session = await web.InferenceSession.create(model);
    const data = Float32Array.from({ length: 5 * 3 * 8 * 8 }, (_, i) => Math.cos(i / 3));
    const found = await session.run({ pixel_values: new web.Tensor('float32', data, [5, 3, 8, 8]) });
    const expected = tf.tidy(() =>
      tower({ pixel_values: tf.tensor(data, [5, 3, 8, 8]) }).image_embeds.dataSync(),
    );
    expect(found.image_embeds!.dims).toEqual([5, 8]);
    expected.forEach((v, i) => {
      expect(found.image_embeds!.data[i]).toBeCloseTo(v, 4);
    });
  });
});

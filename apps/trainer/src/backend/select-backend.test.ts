import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, vi } from 'vitest';
import { loadNativeTensorFlow } from './load-native.js';
import { isTfjsNodeInstalled } from '../../test/native-installed.js';
import { nativeCacheFolder, nodeVersionProblem } from './native-folder.js';
import { selectBackend } from './select-backend.js';

describe('selectBackend', () => {
  it('refuses an unknown name and lists the known ones', async () => {
    await expect(selectBackend('cuda')).rejects.toThrow(
      "--backend must be one of auto, onnxruntime, onnxruntime-cuda, onnxruntime-webgpu, tfjs-node, tfjs-node-gpu, wasm, cpu; found 'cuda'",
    );
  });

  it('says what CUDA lacks and who can tell more', async () => {
    vi.stubEnv('CLIP_NATIVE_CACHE', '/nonexistent');
    vi.stubEnv('CLIP_CUDA_PATH', '');
    const selected = selectBackend('onnxruntime-cuda');
    await expect(selected).rejects.toThrow('there is no cuda device: ');
    await expect(selected).rejects.toThrow('npm run native:doctor -- --backend onnxruntime-cuda');
    vi.unstubAllEnvs();
  });

  it('may be asked again where a control group pays for fewer cores, as the export at the end of a run does', async () => {
    for (let i = 0; i < 2; i++) {
      expect(await selectBackend('onnxruntime', 1)).toMatchObject({ name: 'onnxruntime' });
      expect(await tf.square(tf.scalar(3)).data()).toEqual(new Float32Array([9]));
    }
  });

  it('sets the plain JavaScript backend', async () => {
    expect(await selectBackend('cpu')).toMatchObject({ name: 'cpu' });
    expect(tf.getBackend()).toBe('cpu');
    expect(await tf.square(tf.scalar(2)).data()).toEqual(new Float32Array([4]));
  });

  // Needs `npm run native:install`, which fetches hundreds of megabytes: skipped where they are not installed.
  it.skipIf(!isTfjsNodeInstalled)('trains on native TensorFlow with the same tfjs-core', async () => {
    const { name, reason } = await selectBackend('tfjs-node');
    expect(name).toBe('tfjs-node');
    expect(reason).toMatch(/^requested; TensorFlow 2\.\d+\.\d+ on the CPU$/);
    expect(tf.getBackend()).toBe('tensorflow');
    const gradient = tf.grad((x) => tf.sum(tf.square(x)))(tf.tensor1d([1, 2, 3]));
    expect(gradient).toBeInstanceOf(tf.Tensor);
    expect([...(await gradient.data())]).toEqual([2, 4, 6]);
  });
});

describe('loadNativeTensorFlow', () => {
  it('says how to install a package that is not there', () => {
    const emptyCache = { CLIP_NATIVE_CACHE: '/nonexistent' };
    const load = () => loadNativeTensorFlow('tfjs-node-gpu', emptyCache);
    if (nodeVersionProblem()) expect(load).toThrow('needs Node.js 20 or 22');
    else
      expect(load).toThrow(
        '@tensorflow/tfjs-node-gpu is not installed; install it with: npm run native:install -- --gpu',
      );
  });
});

describe('native-folder', () => {
  it('takes CLIP_NATIVE_CACHE before the user’s cache folder', () => {
    expect(nativeCacheFolder({ CLIP_NATIVE_CACHE: '/data/native', XDG_CACHE_HOME: '/cache' })).toBe(
      '/data/native',
    );
    expect(nativeCacheFolder({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/clip-ts/native');
  });

  it('refuses Node.js 23 and newer in plain words', () => {
    expect(nodeVersionProblem('22.11.0')).toBeUndefined();
    expect(nodeVersionProblem('23.0.0')).toMatch(/needs Node\.js 20 or 22, this is 23\.0\.0/);
  });
});

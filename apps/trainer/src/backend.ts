/**
 * Chooses what computes: `onnxruntime` (this project's backend, the default), the native TensorFlow packages when they
 * are installed, or TensorFlow.js' own `wasm` and `cpu`. Says which and why.
 */
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from './errors.js';
import type { BackendName } from './options.js';
import { createEagerRunner } from './step/eager-runner.js';
import type { HostTensors, Program, Runner } from './step/runner.js';

export interface Backend {
  name: Exclude<BackendName, 'auto'>;
  createRunner(program: Program, initialState: HostTensors): Runner;
}

interface Package {
  module: string;
  /** Name under which the package registers its backend. */
  registered: string;
  remedy: string;
}

const PACKAGES: Record<'tfjs-node-gpu' | 'tfjs-node' | 'wasm' | 'cpu', Package> = {
  'tfjs-node-gpu': {
    module: '@tensorflow/tfjs-node-gpu',
    registered: 'tensorflow',
    remedy: 'npm run native:install',
  },
  'tfjs-node': {
    module: '@tensorflow/tfjs-node',
    registered: 'tensorflow',
    remedy: 'npm run native:install',
  },
  wasm: {
    module: '@tensorflow/tfjs-backend-wasm',
    registered: 'wasm',
    remedy: 'npm install @tensorflow/tfjs-backend-wasm@4.22.0',
  },
  cpu: {
    module: '@tensorflow/tfjs-backend-cpu',
    registered: 'cpu',
    remedy: 'npm install @tensorflow/tfjs-backend-cpu@4.22.0',
  },
};

async function loadPackage(name: keyof typeof PACKAGES): Promise<void> {
  const { module, registered, remedy } = PACKAGES[name];
  // TensorFlow.js prints an advertisement for its native package from here on; errors still come as exceptions.
  tf.env().set('IS_TEST', true);
  try {
    await import(module);
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new InputError(
      `--backend ${name}: ${module} cannot be loaded (${reason}); install it with: ${remedy}`,
    );
  }
  if (!(await tf.setBackend(registered)))
    throw new InputError(`--backend ${name}: the backend does not start here`);
}

/** Whether tfjs-node-gpu loads and sees a GPU. */
async function nativeGpu(): Promise<boolean> {
  try {
    const native = (await import(PACKAGES['tfjs-node-gpu'].module)) as {
      node?: { isUsingGpuDevice?: boolean };
    };
    return native.node?.isUsingGpuDevice === true;
  } catch {
    return false;
  }
}

async function openOnnxRuntime(): Promise<Backend> {
  const { registerOnnxRuntimeBackend } = await import('tfjs-onnxruntime');
  registerOnnxRuntimeBackend();
  await tf.setBackend('onnxruntime');
  const { createReplayedRunner } = await import('./step/replayed-runner.js');
  return { name: 'onnxruntime', createRunner: createReplayedRunner };
}

/**
 * Starts a backend and makes it TensorFlow.js' current one. `device` is the configuration's wish; it decides nothing
 * that `name` does not leave open.
 */
export async function openBackend(
  name: BackendName,
  device: 'cuda' | 'cpu',
  say: (line: string) => void,
): Promise<Backend> {
  if (name === 'auto' && device === 'cuda' && (await nativeGpu())) {
    say('backend tfjs-node-gpu: it is installed and sees a GPU');
    return { name: 'tfjs-node-gpu', createRunner: await eager('tfjs-node-gpu') };
  }
  if (name === 'auto' || name === 'onnxruntime') {
    const why =
      name === 'onnxruntime'
        ? 'as asked'
        : device === 'cuda'
          ? 'no GPU through tfjs-node-gpu, so the CPU'
          : 'device cpu';
    say(`backend onnxruntime: ${why}`);
    return openOnnxRuntime();
  }
  say(`backend ${name}: as asked`);
  return { name, createRunner: await eager(name) };
}

async function eager(name: keyof typeof PACKAGES): Promise<Backend['createRunner']> {
  await loadPackage(name);
  return createEagerRunner;
}

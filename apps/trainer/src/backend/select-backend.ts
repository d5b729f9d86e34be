/**
 * Chooses the TensorFlow.js backend. `auto` takes the native GPU package when it loads and sees a GPU, else our own
 * backend. The choice and its reason are printed.
 */
import { availableParallelism } from 'node:os';
import { usableCores } from '@clip-ts/clip/system';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../errors.js';
import type { ComputeDevice } from 'tfjs-onnxruntime';
import { BACKEND_NAMES, type BackendName } from './names.js';
import { hasNvidiaDevice, loadNativeTensorFlow } from './load-native.js';
import { cudaFolders } from './native-folder.js';

/** The backend that was set, by its name on the command line, and why. */
export interface SelectedBackend {
  name: Exclude<BackendName, 'auto'>;
  reason: string;
  /** Where programs are replayed; absent where the TensorFlow.js backend itself does that. */
  device?: ComputeDevice;
}

const isBackendName = (name: string): name is BackendName =>
  (BACKEND_NAMES as readonly string[]).includes(name);

async function setBackend(registeredName: string): Promise<void> {
  if (!(await tf.setBackend(registeredName)))
    throw new InputError(`the TensorFlow.js backend '${registeredName}' could not be started`);
  await tf.ready();
}

async function selectOnnxRuntime(reason: string, cores = usableCores()): Promise<SelectedBackend> {
  const { nativeStatus, registerOnnxRuntimeBackend } = await import('tfjs-onnxruntime');
  const { registry } = tf.engine();
  // The engine counts the cores of the affinity; a control group may pay for fewer. A backend that runs keeps its threads.
  if (cores < availableParallelism() && registry.onnxruntime === undefined)
    registerOnnxRuntimeBackend({ sessionOptions: { intraOpNumThreads: cores } });
  await setBackend('onnxruntime');
  return { name: 'onnxruntime', reason: `${reason}; ${nativeStatus()}` };
}

/** Programs are replayed on a GPU, with their state there; single ops run on the CPU. */
async function selectCuda(): Promise<SelectedBackend> {
  const { EngineError, openComputeDevice } = await import('tfjs-onnxruntime');
  const device = await openComputeDevice({ kind: 'cuda', folders: cudaFolders() }).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    throw new InputError(
      `${error.message}\nFor a diagnosis run: npm run native:doctor -- --backend onnxruntime-cuda; --backend onnxruntime computes on the CPU`,
    );
  });
  await setBackend('onnxruntime');
  return { name: 'onnxruntime-cuda', reason: `requested; ONNX Runtime ${device.version} on CUDA`, device };
}

/** The same backend on ONNX Runtime's WebGPU provider, which keeps the weights on the device. */
async function selectWebGpu(): Promise<SelectedBackend> {
  const { registerOnnxRuntimeBackend } = await import('tfjs-onnxruntime');
  registerOnnxRuntimeBackend({ sessionOptions: { executionProviders: ['webgpu', 'cpu'] } });
  await setBackend('onnxruntime');
  try {
    tf.tidy(() => tf.add(tf.scalar(1), 1).dataSync());
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw new InputError(
      `the WebGPU provider finds no device: ${found}. It needs a GPU with a Vulkan driver; --backend onnxruntime computes on the CPU`,
    );
  }
  return { name: 'onnxruntime-webgpu', reason: 'requested; ONNX Runtime on WebGPU' };
}

async function selectNative(name: 'tfjs-node' | 'tfjs-node-gpu'): Promise<SelectedBackend> {
  const { tensorflowVersion, usesGpu } = loadNativeTensorFlow(name);
  await setBackend('tensorflow');
  const device = usesGpu ? 'GPU' : name === 'tfjs-node-gpu' ? 'CPU: it sees no GPU' : 'CPU';
  return { name, reason: `requested; TensorFlow ${tensorflowVersion} on the ${device}` };
}

async function selectAutomatically(): Promise<SelectedBackend> {
  if (!hasNvidiaDevice()) return selectOnnxRuntime('no NVIDIA GPU on this machine');
  try {
    const { tensorflowVersion, usesGpu } = loadNativeTensorFlow('tfjs-node-gpu');
    if (!usesGpu)
      return await selectOnnxRuntime(
        'tfjs-node-gpu loads but sees no GPU (npm run native:doctor -- --backend tfjs-node-gpu)',
      );
    await setBackend('tensorflow');
    return { name: 'tfjs-node-gpu', reason: `TensorFlow ${tensorflowVersion} sees a GPU` };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return selectOnnxRuntime(`there is an NVIDIA GPU, but ${error.message}`);
  }
}

/** The package is optional: its name is not a literal type, so that the compiler does not require it to be installed. */
async function selectWasm(): Promise<SelectedBackend> {
  const packageName = '@tensorflow/tfjs-backend-wasm' as string;
  try {
    await import(packageName);
  } catch {
    throw new InputError(
      `${packageName} is not installed; install it with: npm install ${packageName}@4.22.0`,
    );
  }
  await setBackend('wasm');
  return { name: 'wasm', reason: 'requested; WebAssembly lacks the gradients of some layers and is slow' };
}

/**
 * Loads and sets the backend named on the command line.
 * @param cores  that the onnxruntime backend may use; default: those that affinity and control group allow
 * @throws {InputError} for an unknown name, or a backend that is not installed or does not load
 */
export async function selectBackend(name: string, cores?: number): Promise<SelectedBackend> {
  if (!isBackendName(name))
    throw new InputError(`--backend must be one of ${BACKEND_NAMES.join(', ')}; found '${name}'`);
  switch (name) {
    case 'auto':
      return selectAutomatically();
    case 'onnxruntime':
      return selectOnnxRuntime('requested', cores);
    case 'onnxruntime-cuda':
      return selectCuda();
    case 'onnxruntime-webgpu':
      return selectWebGpu();
    case 'tfjs-node':
    case 'tfjs-node-gpu':
      return selectNative(name);
    case 'wasm':
      return selectWasm();
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu');
      await setBackend('cpu');
      return { name, reason: 'requested; plain JavaScript, very slow' };
  }
}

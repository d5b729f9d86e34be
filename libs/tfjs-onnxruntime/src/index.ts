/**
 * tfjs-onnxruntime: a TensorFlow.js backend that records ops lazily, compiles them to ONNX graphs and runs them in
 * ONNX Runtime. Importing this module registers the backend "onnxruntime".
 */
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAME, OnnxRuntimeBackend, type BackendOptions } from './backend.js';
import { fusedGradients, fusedKernels } from './fused/index.js';
import { allKernels } from './kernels/index.js';
import { register } from './kernels/define.js';

/**
 * Registers the backend under the name "onnxruntime" (priority 3) with all its kernels; a second call replaces the
 * options only when the backend has not been created yet.
 */
export function registerOnnxRuntimeBackend(options: BackendOptions = {}): void {
  if (tf.findBackendFactory(BACKEND_NAME) !== null) return;
  tf.registerBackend(BACKEND_NAME, () => new OnnxRuntimeBackend(options), 3);
  register([...allKernels, ...fusedKernels]);
  for (const gradient of fusedGradients) tf.registerGradient(gradient);
}

registerOnnxRuntimeBackend();

export { BACKEND_NAME, OnnxRuntimeBackend, type BackendOptions } from './backend.js';
export { EngineError, type EngineErrorCode, type EngineErrorDetails } from './errors.js';
export { dumpGraph, profile, stats, type EngineStats } from './observe.js';
export type { ProfileEntry } from './session/profile.js';
export type { HostTensor } from './replay/host-tensor.js';
export {
  ReplayedFunction,
  type ReplayOptions,
  type StatefulFunction,
  type StatefulResult,
} from './replay/replayed-function.js';
export { exportOnnx, type ExportSpec } from './export/export-onnx.js';

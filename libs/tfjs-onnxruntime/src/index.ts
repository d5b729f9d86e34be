/**
 * tfjs-onnxruntime: a TensorFlow.js backend that records ops lazily, compiles them to ONNX graphs and runs them in
 * ONNX Runtime. Importing this module registers the backend "onnxruntime".
 */
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAME, OnnxRuntimeBackend, type BackendOptions } from './backend/backend.js';
import { EngineError } from './errors.js';
import { fusedGradients, fusedKernels } from './fused/index.js';
import { allKernels } from './kernels/index.js';
import { register } from './kernels/define.js';

/**
 * Registers the backend under the name "onnxruntime" (priority 3) with all its kernels. Importing the package does so
 * with the defaults; call it with options before the backend is first used.
 * @throws EngineError BAD_STATE when the backend exists already: its tensors would be lost
 */
export function registerOnnxRuntimeBackend(options: BackendOptions = {}): void {
  if (tf.findBackendFactory(BACKEND_NAME) !== null) {
    if (tf.engine().registry[BACKEND_NAME] !== undefined) {
      throw new EngineError(
        'BAD_STATE',
        `the backend "${BACKEND_NAME}" is in use; its options cannot change.`,
        {
          hint: 'Call registerOnnxRuntimeBackend before tf.setBackend and before the first tensor.',
        },
      );
    }
    tf.removeBackend(BACKEND_NAME);
  } else {
    register([...allKernels, ...fusedKernels]);
    for (const gradient of fusedGradients) tf.registerGradient(gradient);
  }
  tf.registerBackend(BACKEND_NAME, () => new OnnxRuntimeBackend(options), 3);
}

registerOnnxRuntimeBackend();

export { BACKEND_NAME, OnnxRuntimeBackend, type BackendOptions } from './backend/backend.js';
export { EngineError, type EngineErrorCode, type EngineErrorDetails } from './errors.js';
export { dumpGraph, profile, stats, type EngineStats } from './observe.js';
export { hasNativeAddon, nativeStatus } from './session/native.js';
export type { ProfileEntry } from './session/profile.js';
export type { HostTensor } from './replay/host-tensor.js';
export {
  ReplayedFunction,
  type ReplayOptions,
  type StatefulFunction,
  type StatefulResult,
} from './replay/replayed-function.js';
export { ComputeDevice, openComputeDevice, type DeviceOptions } from './device/compute-device.js';
export { DeviceFunction, type DeviceFunctionOptions } from './device/device-function.js';
export { estimateCost, type CostEstimate } from './replay/estimate-cost.js';
export { measureRates, secondsOfWork, type MachineRates } from './replay/measure-rates.js';
export { exportOnnx, type ExportSpec } from './export/export-onnx.js';
export { joinModels, type JointGraph, type ModelPart } from './export/join-models.js';

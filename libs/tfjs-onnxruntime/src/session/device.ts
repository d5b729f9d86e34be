/**
 * Tensors that stay on a device between runs (ONNX Runtime's IO binding). onnxruntime-node offers it for its WebGPU
 * provider; with CUDA, inputs and outputs pass through main memory on every run.
 */
import type { Tensor as OrtTensor } from 'onnxruntime-common';
import { encodeModel } from '../onnx/encode.js';
import { modelOf } from '../onnx/model.js';
import { valueInfo, type ModelMessage } from '../onnx/types.js';
import type { ElementType, TypedArray } from '../graph/value.js';
import { OrtSession, type SessionOptions } from './ort.js';

/** A tensor in device memory. Its owner disposes it. */
export type DeviceTensor = OrtTensor;

/** Whether sessions with these options can leave their outputs on the device. */
export function keepsOnDevice({ executionProviders = [] }: SessionOptions): boolean {
  return executionProviders.some((provider) =>
    typeof provider === 'string' ? provider === 'webgpu' : provider.name === 'webgpu',
  );
}

/** The session options under which these outputs stay on the device. */
export const leaveOnDevice = (outputs: readonly string[]): SessionOptions => ({
  preferredOutputLocation: Object.fromEntries(outputs.map((name) => [name, 'gpu-buffer' as const])),
});

/** Copies tensors to main memory: with a session that returns its input, one for each type and rank. */
export class Downloader {
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, OrtSession>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  download(tensor: DeviceTensor, type: ElementType): TypedArray {
    const rank = tensor.dims.length;
    const key = `${type} ${rank}`;
    let session = this.#sessions.get(key);
    if (session === undefined) {
      session = new OrtSession(encodeModel(identityModel(type, rank)), this.#options);
      this.#sessions.set(key, session);
    }
    return session.run({ x: tensor }, { y: null }).y!;
  }

  dispose(): void {
    for (const session of this.#sessions.values()) session.dispose();
    this.#sessions.clear();
  }
}

function identityModel(type: ElementType, rank: number): ModelMessage {
  const shape = Array.from({ length: rank }, (_, i) => `d${i}`);
  return modelOf({
    name: 'download',
    node: [{ opType: 'Identity', name: 'download', input: ['x'], output: ['y'], attribute: [] }],
    initializer: [],
    input: [valueInfo('x', type, shape)],
    output: [valueInfo('y', type, shape)],
  });
}

/**
 * How a kernel is written: a function from values to values. `register` wraps it into what TensorFlow.js expects.
 */
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAME, type OnnxRuntimeBackend } from '../backend/backend.js';
import { EngineError } from '../errors.js';
import type { GraphNode, Value } from '../graph/value.js';

type Result = Value | Value[];

export interface KernelDefinition {
  name: string;
  run: (
    inputs: tf.NamedTensorInfoMap,
    attrs: tf.NamedAttrMap,
    backend: OnnxRuntimeBackend,
  ) => tf.TensorInfo | tf.TensorInfo[];
}

/** A kernel with named inputs (`K`) that are graph values. Inputs that the caller left out are undefined. */
export function define<K extends string, A = unknown>(
  name: string,
  record: (inputs: Record<K, Value>, attrs: A, backend: OnnxRuntimeBackend) => Result,
): KernelDefinition {
  return {
    name,
    run(infos, attrs, backend) {
      const inputs: Record<string, Value> = {};
      for (const key in infos) if (infos[key]) inputs[key] = backend.graphValue(infos[key], name);
      return finish(name, Object.values(inputs), backend, () => record(inputs, attrs as A, backend));
    },
  };
}

/** A kernel whose inputs are a list (Concat, Pack, AddN, …). */
export function defineList<A = unknown>(
  name: string,
  record: (inputs: Value[], attrs: A, backend: OnnxRuntimeBackend) => Result,
): KernelDefinition {
  return {
    name,
    run(infos, attrs, backend) {
      const inputs = (Object.values(infos) as tf.TensorInfo[]).map((info) => backend.graphValue(info, name));
      return finish(name, inputs, backend, () => record(inputs, attrs as A, backend));
    },
  };
}

/** A kernel that handles tensors itself: host computation, strings, complex numbers. */
export function defineRaw(name: string, run: KernelDefinition['run']): KernelDefinition {
  return { name, run };
}

/** The kernel with a check of its arguments first, whose errors reach the caller unchanged. */
export function checked(
  { name, run }: KernelDefinition,
  check: (...args: Parameters<KernelDefinition['run']>) => void,
): KernelDefinition {
  return {
    name,
    run(...args) {
      check(...args);
      return run(...args);
    },
  };
}

function finish(
  name: string,
  inputs: readonly Value[],
  backend: OnnxRuntimeBackend,
  record: () => Result,
): tf.TensorInfo | tf.TensorInfo[] {
  let result: Result;
  try {
    result = record();
  } catch (error) {
    if (error instanceof EngineError && error.kernel === name) throw error;
    const code = error instanceof EngineError ? error.code : 'UNSUPPORTED_ARGUMENT';
    throw new EngineError(code, error instanceof Error ? error.message : String(error), {
      kernel: name,
      shapes: inputs.map((v) => v.shape),
      dtypes: inputs.map((v) => v.type),
      cause: error,
    });
  }
  const values = Array.isArray(result) ? result : [result];
  for (const value of values) label(value.producer, name);
  const tensors = values.map((value) => backend.makeTensor(value));
  backend.afterKernel();
  return Array.isArray(result) ? tensors : tensors[0]!;
}

/** Names the kernel on the nodes it recorded (those upstream have their name already). */
function label(node: GraphNode | undefined, kernel: string): void {
  if (node === undefined || node.kernel !== undefined) return;
  node.kernel = kernel;
  for (const input of node.inputs) label(input?.producer, kernel);
}

export function register(kernels: readonly KernelDefinition[]): void {
  for (const { name, run } of kernels) {
    tf.registerKernel({
      kernelName: name,
      backendName: BACKEND_NAME,
      kernelFunc: ({ inputs, attrs, backend }) => run(inputs, attrs ?? {}, backend as OnnxRuntimeBackend),
    });
  }
}

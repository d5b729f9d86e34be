/**
 * Records a function once with symbolic inputs. Tensors that the function creates or captures become constants.
 */
import * as tf from '@tensorflow/tfjs-core';
import { BACKEND_NAME, type OnnxRuntimeBackend, type TraceScope } from '../backend/backend.js';
import { EngineError } from '../errors.js';
import { cast } from '../graph/ops.js';
import { placeholder, type Value } from '../graph/value.js';
import type { TensorSignature } from './host-tensor.js';

export interface Trace {
  /** Symbolic inputs by name, in the order given. */
  inputs: ReadonlyMap<string, Value>;
  /** What the function returned, by name. */
  outputs: ReadonlyMap<string, Value>;
}

/** The registered backend; tracing and reading need its own methods. */
export function currentBackend(): OnnxRuntimeBackend {
  const backend = tf.findBackend(BACKEND_NAME);
  if (backend === null) {
    throw new EngineError('BAD_STATE', `the backend "${BACKEND_NAME}" is not registered.`, {
      hint: 'Import tfjs-onnxruntime first.',
    });
  }
  return backend as OnnxRuntimeBackend;
}

/** Runs `body` with the backend active, whichever is selected. */
function onBackend<T>(body: (backend: OnnxRuntimeBackend) => T): T {
  const selected = tf.getBackend();
  if (selected !== BACKEND_NAME) void tf.setBackend(BACKEND_NAME);
  try {
    return body(currentBackend());
  } finally {
    if (selected && selected !== BACKEND_NAME) void tf.setBackend(selected);
  }
}

/** int64 inputs are int32 tensors inside: TensorFlow.js has no int64. */
export function trace(
  scope: TraceScope,
  signatures: Readonly<Record<string, TensorSignature>>,
  body: (tensors: tf.NamedTensorMap) => Readonly<Record<string, tf.Tensor>>,
): Trace {
  return onBackend((backend) =>
    backend.trace(scope, () => {
      const engine = tf.engine();
      engine.startScope(scope.name);
      try {
        const inputs = new Map<string, Value>();
        const tensors: tf.NamedTensorMap = {};
        for (const key in signatures) {
          const { type, shape } = signatures[key]!;
          const value = placeholder(key, type, shape);
          inputs.set(key, value);
          const info = backend.makeTensor(type === 'int64' ? cast(value, 'int32') : value);
          tensors[key] = engine.makeTensorFromTensorInfo(info);
        }
        const outputs = new Map<string, Value>();
        for (const [key, tensor] of Object.entries(body(tensors))) {
          if (!(tensor instanceof tf.Tensor)) {
            throw new EngineError('BAD_INPUT', `${scope.name} returned "${key}", which is not a tensor.`);
          }
          outputs.set(key, backend.graphValue(tensor));
        }
        return { inputs, outputs };
      } finally {
        engine.endScope();
      }
    }),
  );
}

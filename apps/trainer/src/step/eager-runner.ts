/** Runs a program op by op on any TensorFlow.js backend. Owns the state's tensors. */
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor, HostTensors, Program, Runner } from './runner.js';

const toTensor = ({ data, shape, dtype }: HostTensor): tf.Tensor => tf.tensor(data, [...shape], dtype);

const toTensors = (tensors: HostTensors): tf.NamedTensorMap =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toTensor(tensor)]));

async function toHost(tensor: tf.Tensor): Promise<HostTensor> {
  const data = await tensor.data<'float32' | 'int32'>();
  const dtype = tensor.dtype === 'int32' ? 'int32' : 'float32';
  return { data, shape: [...tensor.shape], dtype };
}

async function toHosts(tensors: tf.NamedTensorMap): Promise<HostTensors> {
  const entries = Object.entries(tensors).map(
    async ([name, tensor]) => [name, await toHost(tensor)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

export function createEagerRunner(program: Program, initialState: HostTensors): Runner {
  let state = toTensors(initialState);
  return {
    async run(inputs) {
      const previous = state;
      const result = tf.tidy(() => {
        const { state: changed, outputs } = program(previous, toTensors(inputs));
        const merged = { ...previous, ...changed };
        // Kept from the tidy: the new state and the outputs. What is unchanged lives on outside it.
        for (const name of Object.keys(changed)) if (previous[name] !== merged[name]) tf.keep(merged[name]!);
        for (const output of Object.values(outputs)) tf.keep(output);
        return { merged, outputs };
      });
      state = result.merged;
      for (const [name, tensor] of Object.entries(previous)) if (state[name] !== tensor) tensor.dispose();
      const outputs = await toHosts(result.outputs);
      tf.dispose(result.outputs);
      return outputs;
    },
    readState: (names = Object.keys(state)) =>
      toHosts(Object.fromEntries(names.map((name) => [name, state[name]!]))),
    dispose: () => tf.dispose(state),
  };
}

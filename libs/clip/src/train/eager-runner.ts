/** Runs a program op by op on the current TensorFlow.js backend. Owns the state's tensors. */
import * as tf from '@tensorflow/tfjs-core';
import { toHostTensors, toTensors, type HostTensors } from './host-tensor.js';
import { runFunctions, type Program, type Runner } from './program.js';

/** @param initialState not to be written to afterwards */
export function createEagerRunner<P extends Program<P>>(program: P, initialState: HostTensors): Runner<P> {
  let state = toTensors(initialState);
  return {
    run: runFunctions(program, async (name, inputs) => {
      const previous = state;
      const result = tf.tidy(() => {
        const { state: changed, outputs } = program[name](previous, toTensors(inputs) as never);
        const merged = { ...previous, ...changed };
        // Kept from the tidy: the new state and the outputs. What is unchanged lives on outside it.
        for (const key of Object.keys(changed)) if (previous[key] !== merged[key]) tf.keep(merged[key]!);
        for (const output of Object.values(outputs)) tf.keep(output);
        return { merged, outputs };
      });
      state = result.merged;
      for (const [key, tensor] of Object.entries(previous)) if (state[key] !== tensor) tensor.dispose();
      const outputs = await toHostTensors(result.outputs);
      tf.dispose(result.outputs);
      return outputs;
    }),
    readState: (names) => toHostTensors(Object.fromEntries(names.map((name) => [name, state[name]!]))),
    dispose: () => tf.dispose(state),
  };
}

/** Runs a program on the onnxruntime backend: traced and compiled once for each set of input shapes, then replayed. */
import { ReplayedFunction, type HostTensor as EngineTensor } from 'tfjs-onnxruntime';
import type { HostTensors, Program, Runner } from './runner.js';

/** A stage needs: steps of two or three caption lengths, the parts of a wide step, both kinds of embedding. */
const COMPILED_SHAPES = 16;

export function createReplayedRunner(program: Program, initialState: HostTensors): Runner {
  const options = { name: 'contrastive program', maxSignatures: COMPILED_SHAPES };
  const replayed = new ReplayedFunction(program, initialState as Record<string, EngineTensor>, options);
  return {
    run: async (inputs) => (await replayed.run(inputs as Record<string, EngineTensor>)) as HostTensors,
    readState: async (names) => replayed.readState(names) as HostTensors,
    dispose: () => replayed.dispose(),
  };
}

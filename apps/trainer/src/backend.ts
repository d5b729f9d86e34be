/**
 * The backend that a command computes on, with the way to run a program there: compiled and replayed on onnxruntime, op
 * by op elsewhere.
 */
import {
  asOneFunction,
  createEagerRunner,
  createReplayedRunner,
  type HostTensors,
  type Program,
  type Runner,
} from '@clip-ts/clip/train';
import type { BackendName } from './backend/names.js';
import { selectBackend, type SelectedBackend } from './backend/select-backend.js';

type CreateRunner = <P extends Program<P>>(program: P, initialState: HostTensors) => Runner<P>;

export interface Backend {
  name: SelectedBackend['name'];
  createRunner: CreateRunner;
}

/** A stage needs: steps of two or three caption lengths, the parts of a wide step, both kinds of embedding. */
const COMPILED_SHAPES = 16;

/** Runners that compile on the onnxruntime backend. */
export async function replayedRunners(): Promise<CreateRunner> {
  const { ReplayedFunction } = await import('tfjs-onnxruntime');
  return (program, initialState) => {
    const options = { name: 'contrastive program', maxSignatures: COMPILED_SHAPES };
    const state = initialState as ConstructorParameters<typeof ReplayedFunction>[1];
    return createReplayedRunner(program, new ReplayedFunction(asOneFunction(program), state, options));
  };
}

/**
 * Starts a backend, makes it TensorFlow.js' current one, and says which and why. `device` is the configuration's wish:
 * "cpu" keeps `auto` away from a GPU, and a "cuda" that cannot be had is said in plain words.
 */
export async function openBackend(
  name: BackendName,
  device: 'cuda' | 'cpu',
  say: (line: string) => void,
): Promise<Backend> {
  const { name: selected, reason } = await selectBackend(
    name === 'auto' && device === 'cpu' ? 'onnxruntime' : name,
  );
  const why = name === 'auto' && device === 'cpu' ? 'device is "cpu"' : reason;
  say(`backend ${selected}: ${why}`);
  if (device === 'cuda' && !['tfjs-node-gpu', 'onnxruntime-webgpu'].includes(selected))
    say('device is "cuda" in the configuration; this runs on the CPU');
  if (selected !== 'onnxruntime' && selected !== 'onnxruntime-webgpu')
    return { name: selected, createRunner: createEagerRunner };
  return { name: selected, createRunner: await replayedRunners() };
}

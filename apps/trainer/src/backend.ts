/**
 * The backend that a command computes on, with the way to run a program there: compiled and replayed on onnxruntime, op
 * by op elsewhere.
 */
import type { BackendName } from './backend/names.js';
import { selectBackend, type SelectedBackend } from './backend/select-backend.js';
import { createEagerRunner } from './step/eager-runner.js';
import type { HostTensors, Program, Runner } from './step/runner.js';

export interface Backend {
  name: SelectedBackend['name'];
  createRunner: (program: Program, initialState: HostTensors) => Runner;
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
  const { createReplayedRunner } = await import('./step/replayed-runner.js');
  return { name: selected, createRunner: createReplayedRunner };
}

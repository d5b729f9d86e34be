/** How training runs on a backend: compiled and replayed on ONNX Runtime, op by op elsewhere. */
import { asOneFunction, createEagerRunner, createReplayedRunner } from '../../src/train/index.js';
import type { CreateRunner } from './check-training.js';

export async function createRunnerOn(backend: 'onnxruntime' | 'cpu'): Promise<CreateRunner> {
  if (backend === 'cpu') return createEagerRunner;
  const { ReplayedFunction } = await import('tfjs-onnxruntime');
  return (program, state) => {
    const initial = state as ConstructorParameters<typeof ReplayedFunction>[1];
    return createReplayedRunner(program, new ReplayedFunction(asOneFunction(program), initial));
  };
}

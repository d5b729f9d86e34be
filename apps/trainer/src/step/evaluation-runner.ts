/** A runner that only embeds: the contrastive program with nothing to train. */
import type { DualEncoder } from '@clip-ts/clip/model';
import type { Backend } from '../backend.js';
import { contrastiveProgram } from './contrastive-program.js';
import type { HostTensors, Runner } from './runner.js';

export function openEvaluationRunner(backend: Backend, model: DualEncoder, weights: HostTensors): Runner {
  const program = contrastiveProgram(model, [], {
    beta1: 0,
    beta2: 0,
    epsilon: 0,
    weightDecay: 0,
    maximumGradientNorm: 1,
    frozenTowers: true,
    batchNorm: 'evaluation',
    wideBatch: false,
  });
  return backend.createRunner(program, weights);
}

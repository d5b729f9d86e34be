/** What learns in a stage: the contrastive program on a backend, with the weights and moments it starts from. */
import { assertBatchNormTrainable } from '@clip-ts/clip/model';
import {
  contrastiveProgram,
  initialState,
  momentNames,
  type ContrastiveOptions,
  type ContrastiveProgram,
  type HostTensors,
  type Runner,
} from '@clip-ts/clip/train';
import type { Backend, Precision } from '../../backend/open-backend.js';
import type { Snapshot } from '../../checkpoint/run-folder.js';
import type { Stage } from '../../config/run-settings.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import type { Learning } from './learning.js';

export interface Learner {
  runner: Runner<ContrastiveProgram>;
  /** All weights, those that do not learn included. */
  readWeights: () => Promise<HostTensors>;
  /** AdamW's. */
  readMoments: () => Promise<HostTensors>;
}

export interface LearnerOptions {
  backend: Backend;
  assembled: AssembledModel;
  learning: Learning;
  stage: Stage;
  /** More than one micro-batch a step. */
  wideBatch: boolean;
}

/** AdamW's settings under the names of the program. */
export const updateOptions = (config: Stage['config'], { rateFactors, logitScaleMaximum }: Learning) => ({
  beta1: config.adam_beta1,
  beta2: config.adam_beta2,
  epsilon: config.adam_epsilon,
  weightDecay: config.weight_decay,
  maxGradNorm: config.max_grad_norm,
  rateFactors,
  logitScaleMaximum,
});

/** The settings of the contrastive program of a stage. */
export const programOptions = (config: Stage['config'], learning: Learning): ContrastiveOptions => ({
  ...updateOptions(config, learning),
  frozenTowers: learning.frozenTowers,
  batchNorm: config.batch_norm,
  gradientCheckpointing: config.gradient_checkpointing,
  loss: learning.loss,
});

/** float16 where `fp16` asks for it and the backend has it; the trainer says so otherwise. */
export const precisionOf = (
  { fp16 }: Pick<Stage['config'], 'fp16'>,
  { mixedPrecision }: Pick<Backend, 'mixedPrecision'>,
): Precision => (fp16 && mixedPrecision ? 'mixed' : 'float32');

/** The caller disposes of `runner`. @throws ClipError for batch norm that cannot be trained */
export function openLearner(
  { backend, assembled, learning, stage, wideBatch }: LearnerOptions,
  { weights, moments }: Pick<Snapshot, 'weights' | 'moments'>,
): Learner {
  const { model, specs } = assembled;
  const { config } = stage;
  const { trainable } = learning;
  if (config.batch_norm === 'training' && !stage.frozenTowers) assertBatchNormTrainable(weights);
  const program = contrastiveProgram(model, trainable, programOptions(config, learning));
  const state = initialState(weights, trainable, wideBatch, moments);
  const runner = backend.createRunner(program, state, precisionOf(config, backend));
  return {
    runner,
    readWeights: () => runner.readState(specs.map(({ name }) => name)),
    readMoments: () => runner.readState(momentNames(trainable)),
  };
}

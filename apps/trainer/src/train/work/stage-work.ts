/** How a stage computes: its steps and its validation, on the towers or on what frozen towers gave once. */
import type { HostTensors, LossKind } from '@clip-ts/clip/train';
import type { Snapshot } from '../../checkpoint/run-folder.js';
import type { Stage } from '../../config/run-settings.js';
import type { Validation } from '../../evaluation/validate.js';
import type { StagePlan } from '../stage/plan-stage.js';
import type { TrainingRun } from '../run/training-run.js';
import type { StepOptions, StepResult } from '../step/train-step.js';

export interface StageWork {
  readonly lossKind: LossKind;
  /** The steps of an epoch from `firstStep` on, each ready to be made. */
  steps(epoch: number, firstStep: number): AsyncIterable<(options: StepOptions) => Promise<StepResult>>;
  validate(): Promise<Validation>;
  /** All weights, those that do not learn included. */
  readWeights(): Promise<HostTensors>;
  /** AdamW's. */
  readMoments(): Promise<HostTensors>;
  close(): Promise<void>;
}

export interface StageWorkOptions {
  run: TrainingRun;
  stage: Stage;
  plan: StagePlan;
  start: Pick<Snapshot, 'weights' | 'moments'>;
}

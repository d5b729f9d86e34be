/**
 * Training a dual encoder with the TensorFlow.js API: one step as a program of named functions, and what it is made of.
 * Knows no data, no files and no engine; the trainer, its evaluation and the benchmarks share it.
 */
export { updateInputs, type AdamWOptions } from './adamw.js';
export {
  contrastiveProgram,
  type ContrastiveOptions,
  type ContrastiveProgram,
} from './contrastive-program.js';
export { createEagerRunner } from './eager-runner.js';
export { embeddingProgram, type EmbeddingProgram } from './embedding-program.js';
export { featureProgram, headProgram, type FeatureProgram, type HeadProgram } from './feature-program.js';
export {
  concatenateRows,
  float32,
  int32,
  intScalar,
  numberOf,
  scalar,
  sliceRows,
  splitRows,
  toTensors,
  type HostTensors,
} from './host-tensor.js';
export { chanceLoss, type LossKind, type LossOptions } from './loss.js';
export { INITIAL_LOSS_SCALE, nextLossScale, SMALLEST_LOSS_SCALE, type LossScale } from './loss-scale.js';
export type { LossFunctions } from './loss-program.js';
export {
  rateFactors,
  trainableNames,
  type GroupRates,
  type LearningParts,
  type UnfrozenBlocks,
} from './parameter-groups.js';
export type { Program, ProgramFunction, ProgramResult, RunFunctions, Runner } from './program.js';
export { initialState, momentNames } from './program-state.js';
export { asOneFunction, createReplayedRunner, inputsOf, type Replayed } from './replayed-runner.js';
export { learningRate, warmupSteps, type Schedule } from './schedule.js';

/**
 * The recipe. Two stages: first the heads on frozen towers, then everything. Each step takes a contrastive batch of N
 * image-caption pairs (a random caption of each image), symmetric cross-entropy over exp(logit_scale) · cosine, AdamW
 * with clipped gradients under a warmed-up, decaying learning rate. After each epoch the validation split decides
 * whether this is the best checkpoint yet, and whether the stage ends early.
 */
import { learningRate } from '@clip-ts/clip/train';
import type { Backend } from '../backend/open-backend.js';
import type { RunFolder, Snapshot } from '../checkpoint/run-folder.js';
import type { TrainingState } from '../checkpoint/training-state.js';
import type { RunSettings, Stage } from '../config/run-settings.js';
import { epochBatches } from '../data/batches.js';
import type { PairSource } from '../data/pair-source.js';
import { TrainingError } from '../errors.js';
import { validate } from '../evaluation/validate.js';
import { createSpeedometer } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';
import type { Journal } from './journal.js';
import { countEpoch } from './keep-best.js';
import { openLearner, type Learner } from './learner.js';
import { withFiniteLoss } from './non-finite-loss.js';
import { planStage, type StagePlan } from './plan-stage.js';
import { trainStep } from './train-step.js';

/** What a run trains, on what, and where it leaves its results. Nothing here changes while it runs. */
export interface TrainingRun {
  settings: RunSettings;
  assembled: AssembledModel;
  backend: Backend;
  training: PairSource;
  validation: PairSource;
  folder: RunFolder;
  journal: Journal;
  /** Called after each epoch, e.g. to write the report. */
  onEpoch: () => Promise<void>;
  /** True once the user asked to stop; training then writes its checkpoint and ends with an error. */
  stopRequested: () => boolean;
}

/** Trains from `start` to the end. Leaves the best checkpoint and the last, resumable one. */
export async function train(run: TrainingRun, start: Snapshot): Promise<void> {
  const { stages } = run.settings;
  let snapshot = start;
  while (snapshot.state.stage < stages.length) {
    snapshot = await trainStage(run, stages[snapshot.state.stage]!, snapshot);
    await run.folder.saveLast(snapshot);
  }
}

/** One stage, with an optimiser and a schedule of its own, from wherever it stands. */
async function trainStage(run: TrainingRun, stage: Stage, start: Snapshot): Promise<Snapshot> {
  const { epochs, early_stopping: patience } = stage.config;
  const plan = planStage(stage.config, run.training.pixels.count);
  if (plan.warning) run.journal.log(plan.warning);
  const learner = openLearner(learnerOptions(run, stage, plan), start);
  const isOver = ({ staleEpochs }: TrainingState) => patience > 0 && staleEpochs >= patience;
  try {
    let { state } = start;
    while (state.epoch < epochs && !isOver(state)) {
      state = await trainEpoch(run, stage, plan, learner, state);
      state = await endEpoch(run, stage, learner, state);
      if (isOver(state)) run.journal.log(`no better for ${state.staleEpochs} epochs: the stage ends here`);
    }
    const weights = state.staleEpochs > 0 ? await run.folder.bestWeights() : await learner.readWeights();
    return { state: nextStage(state, run.settings.stages.length), weights, moments: {} };
  } finally {
    learner.runner.dispose();
  }
}

const learnerOptions = ({ backend, assembled, settings }: TrainingRun, stage: Stage, plan: StagePlan) => ({
  backend,
  assembled,
  temperature: settings.model.temperature,
  stage,
  wideBatch: plan.microBatches > 1,
});

function nextStage(state: TrainingState, stages: number): TrainingState {
  const stage = state.stage + 1;
  const beginning = { epoch: 0, step: 0, staleEpochs: 0, stageBest: null };
  return { ...state, stage, ...beginning, finished: stage === stages };
}

/** The steps of an epoch, from wherever it stands. Writes the resumable checkpoint every checkpoint_seconds. */
async function trainEpoch(
  run: TrainingRun,
  { config }: Stage,
  plan: StagePlan,
  learner: Learner,
  start: TrainingState,
): Promise<TrainingState> {
  const { seed, adam_beta1: beta1, adam_beta2: beta2, augmentation } = config;
  const { batchSize, microBatches, stepsPerEpoch } = plan;
  const order = { seed, batchSize, microBatches, augmentation };
  const speed = createSpeedometer();
  let state = start;
  let lastSave = performance.now();
  let before = lastSave;
  for await (const batches of epochBatches(run.training, start.epoch, start.step, stepsPerEpoch, order)) {
    const step = state.epoch * stepsPerEpoch + state.step;
    const rate = learningRate(plan.schedule, step);
    const result = await trainStep(learner.runner, batches, { learningRate: rate, step, beta1, beta2, seed });
    const seconds = (performance.now() - before) / 1000;
    before = performance.now();
    state = {
      ...state,
      step: state.step + 1,
      updates: state.updates + 1,
      seconds: state.seconds + seconds,
    };
    const timing = { seconds, imagesPerSecond: speed(plan.pairs, seconds) };
    run.journal.step(state, plan, { ...result, learningRate: rate }, timing);
    if (run.stopRequested() || before - lastSave >= config.checkpoint_seconds * 1000) {
      await run.folder.saveLast(await snapshotOf(learner, state));
      lastSave = performance.now();
      before = lastSave;
    }
    if (run.stopRequested()) throw new TrainingError('stopped; the same command resumes from here');
  }
  return { ...state, epoch: state.epoch + 1, step: 0 };
}

/** Validates, keeps the best checkpoint, and writes the resumable one. */
async function endEpoch(
  run: TrainingRun,
  { config }: Stage,
  learner: Learner,
  ended: TrainingState,
): Promise<TrainingState> {
  const validation = await withFiniteLoss(`the validation loss after epoch ${ended.epoch}`, () =>
    validate(learner.runner, run.validation, config.batch_size),
  );
  const modes = run.settings.stages.map((stage) => stage.config.scheduler_mode);
  const { state, best } = countEpoch(ended, validation, modes);
  run.journal.validation(state, validation, best);
  const snapshot = await snapshotOf(learner, state);
  if (best) await run.folder.saveBest(state, snapshot.weights);
  await run.folder.saveLast(snapshot);
  await run.onEpoch();
  return state;
}

const snapshotOf = async (learner: Learner, state: TrainingState): Promise<Snapshot> => ({
  state,
  weights: await learner.readWeights(),
  moments: await learner.readMoments(),
});

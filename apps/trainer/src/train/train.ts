/**
 * The recipe. Two stages: first the heads on frozen towers, then everything. Each step takes a contrastive batch of N
 * image-caption pairs (a random caption of each image), symmetric cross-entropy over exp(logit_scale) · cosine, AdamW
 * with clipped gradients under a warmed-up, decaying learning rate. After each epoch the validation split decides
 * whether this is the best checkpoint yet, and whether the stage ends early.
 */
import { chanceLoss, INITIAL_LOSS_SCALE, learningRate } from '@clip-ts/clip/train';
import type { Snapshot } from '../checkpoint/run-folder.js';
import type { TrainingState } from '../checkpoint/training-state.js';
import type { Stage } from '../config/run-settings.js';
import { createSpeedometer } from '../logging/progress.js';
import { adaptLossScale } from './step/adapt-loss-scale.js';
import { countEpoch } from './keep-best.js';
import { precisionOf } from './stage/learner.js';
import { withFiniteLoss } from './step/non-finite-loss.js';
import { planStage, type StagePlan } from './stage/plan-stage.js';
import { openStageWork } from './work/open-stage-work.js';
import type { StageWork } from './work/stage-work.js';
import type { TrainingRun } from './run/training-run.js';

/** Trains from `start` to the end. Leaves the best checkpoint and the last, resumable one. */
export async function train(run: TrainingRun, start: Snapshot): Promise<void> {
  const { stages } = run.settings;
  let snapshot = start;
  try {
    while (snapshot.state.stage < stages.length) {
      snapshot = await trainStage(run, stages[snapshot.state.stage]!, snapshot);
      await run.folder.saveLast(snapshot);
    }
  } finally {
    // An error costs the epoch that it ends, and none before.
    await run.folder.flush();
  }
}

/** One stage, with an optimiser and a schedule of its own, from wherever it stands. */
async function trainStage(run: TrainingRun, stage: Stage, start: Snapshot): Promise<Snapshot> {
  const { epochs, early_stopping: patience } = stage.config;
  const plan = planStage(stage.config, run.training.pixels.count);
  if (plan.warning) run.journal.log(plan.warning);
  const work = await openStageWork({ run, stage, plan, start });
  const isOver = ({ staleEpochs }: TrainingState) => patience > 0 && staleEpochs >= patience;
  try {
    let { state } = start;
    while (state.epoch < epochs && !isOver(state)) {
      state = await trainEpoch(run, stage, plan, work, state);
      state = await endEpoch(run, stage, work, state);
      if (isOver(state)) run.journal.log(`no better for ${state.staleEpochs} epochs: the stage ends here`);
    }
    if (state.stage + 1 === run.settings.stages.length) {
      // The optimiser's moments stay, so that --extend can continue.
      const ended = { ...state, stage: state.stage + 1, finished: true };
      return await snapshotOf(work, ended);
    }
    const weights = state.staleEpochs > 0 ? await run.folder.bestWeights() : await work.readWeights();
    return { state: nextStage(state), weights, moments: {} };
  } finally {
    await work.close();
  }
}

const nextStage = (state: TrainingState): TrainingState => ({
  ...state,
  stage: state.stage + 1,
  epoch: 0,
  step: 0,
  staleEpochs: 0,
  stageBest: null,
  lossScale: INITIAL_LOSS_SCALE,
});

/** The steps of an epoch, from wherever it stands. Writes the resumable checkpoint every checkpoint_seconds. */
async function trainEpoch(
  run: TrainingRun,
  { config }: Stage,
  plan: StagePlan,
  work: StageWork,
  start: TrainingState,
): Promise<TrainingState> {
  const { seed, adam_beta1: beta1, adam_beta2: beta2 } = config;
  const { stepsPerEpoch } = plan;
  const chance = chanceLoss(work.lossKind, plan.pairs);
  const mixed = precisionOf(config, run.backend) === 'mixed';
  const speed = createSpeedometer();
  const wait = createSpeedometer();
  let state = start;
  let lastSave = performance.now();
  let before = lastSave;
  for await (const makeStep of work.steps(start.epoch, start.step)) {
    const step = state.epoch * stepsPerEpoch + state.step;
    const rate = learningRate(plan.schedule, step);
    const dataSeconds = (performance.now() - before) / 1000;
    const { lossScale } = state;
    const options = { learningRate: rate, step, beta1, beta2, seed };
    const result = await makeStep(mixed ? { ...options, lossScale } : options);
    const seconds = (performance.now() - before) / 1000;
    before = performance.now();
    state = {
      ...state,
      step: state.step + 1,
      updates: state.updates + 1,
      seconds: state.seconds + seconds,
      ...(mixed
        ? { lossScale: adaptLossScale(lossScale, step, result, (line) => run.journal.log(line)) }
        : {}),
    };
    const timing = {
      seconds,
      dataSeconds,
      imagesPerSecond: speed(plan.pairs, seconds),
      waiting: wait(dataSeconds, seconds),
    };
    if (Number.isFinite(result.gradientNorm))
      run.journal.step(state, plan, { ...result, learningRate: rate, chance }, timing);
    if (run.stop.requested || before - lastSave >= config.checkpoint_seconds * 1000) {
      await run.folder.saveLast(await snapshotOf(work, state));
      lastSave = performance.now();
      before = lastSave;
    }
    run.stop.throwIfRequested();
  }
  return { ...state, epoch: state.epoch + 1, step: 0 };
}

/** Validates, and keeps the checkpoint: to resume from, and the best. */
async function endEpoch(
  run: TrainingRun,
  { config }: Stage,
  work: StageWork,
  ended: TrainingState,
): Promise<TrainingState> {
  const validation = await withFiniteLoss(`the validation loss after epoch ${ended.epoch}`, () =>
    work.validate(),
  );
  const modes = run.settings.stages.map((stage) => stage.config.scheduler_mode);
  const { state, best } = countEpoch(ended, validation, modes);
  run.journal.validation(state, validation, best);
  await run.folder.keep(await snapshotOf(work, state), best, config.checkpoint_seconds);
  await run.onEpoch();
  return state;
}

const snapshotOf = async (work: StageWork, state: TrainingState): Promise<Snapshot> => ({
  state,
  weights: await work.readWeights(),
  moments: await work.readMoments(),
});

/**
 * The recipe. Two stages: first the heads on frozen towers, then everything. Each step takes a contrastive batch of N
 * image-caption pairs (a random caption of each image), symmetric cross-entropy over exp(logit_scale) · cosine, AdamW
 * with clipped gradients under a warmed-up, decaying learning rate. After each epoch the validation split decides
 * whether this is the best checkpoint yet, and whether to stop.
 */
import path from 'node:path';
import { assertBatchNormTrainable, loadWeights } from '@clip-ts/clip/model';
import {
  contrastiveProgram,
  initialState,
  learningRate,
  momentNames,
  numberOf,
  trainableNames,
  type ContrastiveProgram,
  type HostTensors,
  type Runner,
} from '@clip-ts/clip/train';
import type { Backend } from './backend.js';
import type { TrainingState } from './checkpoint/training-state.js';
import { writeCheckpoint } from './checkpoint/write-checkpoint.js';
import { epochBatches, type PairSource } from './data/batches.js';
import { TrainingError } from './errors.js';
import { validate, type Validation } from './evaluation/validate.js';
import type { MetricsLog, MetricsRecord } from './metrics-log.js';
import type { AssembledModel } from './model/assemble.js';
import { createSpeedometer, trainingLine, type ProgressPrinter } from './progress.js';
import type { RunSettings, Stage } from './settings.js';
import { planStage, type StagePlan } from './train/plan-stage.js';
import { trainStep, type StepResult } from './train/train-step.js';
import type { ExperimentLogger } from './wandb.js';

export interface TrainingRun {
  settings: RunSettings;
  assembled: AssembledModel;
  backend: Backend;
  training: PairSource;
  validation: PairSource;
  log: MetricsLog;
  experiment: ExperimentLogger;
  printer: ProgressPrinter;
  /** README.md of a checkpoint at this point. */
  card: (state: TrainingState) => string;
  /** Called after each epoch, e.g. to write the report. */
  onEpoch: () => Promise<void>;
  /** True once the user asked to stop; training then writes its checkpoint and ends. */
  stopRequested: () => boolean;

  /** Where training stands; changes as it goes on. */
  state: TrainingState;
  weights: HostTensors;
  moments: HostTensors;
}

class StoppedError extends TrainingError {}

export const bestFolder = (output: string) => path.join(output, 'checkpoint');
export const lastFolder = (output: string) => path.join(output, 'last');

/** Trains from where `run.state` stands to the end. Leaves the best checkpoint and the last, resumable one. */
export async function train(run: TrainingRun): Promise<void> {
  const { stages } = run.settings;
  while (run.state.stage < stages.length) {
    await trainStage(run, stages[run.state.stage]!);
    const next = { stage: run.state.stage + 1, epoch: 0, step: 0, staleEpochs: 0, stageBest: null };
    run.state = { ...run.state, ...next, finished: next.stage === stages.length };
    run.moments = {};
    await saveLast(run, run.weights, {});
  }
}

async function trainStage(run: TrainingRun, stage: Stage): Promise<void> {
  const { model, specs } = run.assembled;
  const { config, frozenTowers } = stage;
  const plan = planStage(config, run.training.pixels.count);
  if (plan.warning) run.printer.say(plan.warning);
  const learnTemperature = run.settings.model.temperature === 'learned';
  const trainable = trainableNames(model, specs, { frozenTowers, learnTemperature });
  if (config.batch_norm === 'training' && !frozenTowers) assertBatchNormTrainable(run.weights);
  const wideBatch = plan.microBatches > 1;
  const program = contrastiveProgram(model, trainable, {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    weightDecay: config.weight_decay,
    maxGradNorm: config.max_grad_norm,
    frozenTowers,
    batchNorm: config.batch_norm,
  });
  const runner = run.backend.createRunner(
    program,
    initialState(run.weights, trainable, wideBatch, run.moments),
  );
  try {
    while (run.state.epoch < config.epochs) {
      await trainEpoch(run, stage, plan, runner, trainable);
      run.state = { ...run.state, epoch: run.state.epoch + 1, step: 0 };
      await endEpoch(run, stage, runner, trainable);
      if (config.early_stopping > 0 && run.state.staleEpochs >= config.early_stopping) {
        run.printer.say(`no better for ${run.state.staleEpochs} epochs: the stage ends here`);
        break;
      }
    }
    run.weights = run.state.staleEpochs > 0 ? await bestWeights(run) : await readWeights(run, runner);
  } finally {
    runner.dispose();
  }
}

async function trainEpoch(
  run: TrainingRun,
  stage: Stage,
  plan: StagePlan,
  runner: Runner<ContrastiveProgram>,
  trainable: readonly string[],
): Promise<void> {
  const { config } = stage;
  const speed = createSpeedometer();
  const { epoch, step: firstStep } = run.state;
  const batches = epochBatches(run.training, epoch, firstStep, plan.stepsPerEpoch, {
    seed: config.seed,
    batchSize: plan.batchSize,
    microBatches: plan.microBatches,
    augmentation: config.augmentation,
  });
  let lastSave = performance.now();
  let before = performance.now();
  for await (const microBatches of batches) {
    const stageStep = epoch * plan.stepsPerEpoch + run.state.step;
    const rate = learningRate(plan.schedule, stageStep);
    const { adam_beta1: beta1, adam_beta2: beta2, seed } = config;
    const result = await trainStep(runner, microBatches, {
      learningRate: rate,
      step: stageStep,
      beta1,
      beta2,
      seed,
    });
    const seconds = (performance.now() - before) / 1000;
    before = performance.now();
    const { step, updates } = run.state;
    run.state = { ...run.state, step: step + 1, updates: updates + 1, seconds: run.state.seconds + seconds };
    recordStep(run, stage, plan, result, { rate, seconds, imagesPerSecond: speed(plan.pairs, seconds) });
    if (run.stopRequested() || before - lastSave >= config.checkpoint_seconds * 1000) {
      await saveLast(run, await readWeights(run, runner), await runner.readState(momentNames(trainable)));
      lastSave = performance.now();
      before = lastSave;
    }
    if (run.stopRequested()) throw new StoppedError('stopped; the same command goes on from here');
  }
}

function recordStep(
  run: TrainingRun,
  stage: Stage,
  plan: StagePlan,
  { loss, gradientNorm, logitScale }: StepResult,
  { rate, seconds, imagesPerSecond }: { rate: number; seconds: number; imagesPerSecond: number },
): void {
  const { state } = run;
  const done = state.epoch * plan.stepsPerEpoch + state.step;
  const chance = Math.log(plan.pairs);
  record(run, {
    kind: 'step',
    stage: state.stage + 1,
    epoch: state.epoch + 1,
    update: state.updates,
    loss,
    chance,
    learning_rate: rate,
    gradient_norm: gradientNorm,
    logit_scale: logitScale,
    images_per_second: imagesPerSecond,
    seconds,
  });
  const line = trainingLine({
    stage: `stage ${state.stage + 1}/${run.settings.stages.length} (${stage.name})`,
    epoch: state.epoch + 1,
    epochs: stage.config.epochs,
    step: done,
    steps: plan.schedule.totalSteps,
    loss,
    chance,
    imagesPerSecond,
    secondsLeft: ((plan.schedule.totalSteps - done) * plan.pairs) / imagesPerSecond,
  });
  run.printer.update(line, done === plan.schedule.totalSteps);
}

function record(run: TrainingRun, entry: MetricsRecord): void {
  run.log.append(entry);
  run.experiment.log(entry);
}

/** Validates, keeps the best checkpoint, and writes the resumable one. */
async function endEpoch(
  run: TrainingRun,
  stage: Stage,
  runner: Runner<ContrastiveProgram>,
  trainable: readonly string[],
): Promise<void> {
  const weights = await readWeights(run, runner);
  const logitScale = numberOf(weights.logit_scale!);
  const validation = await validate(runner, run.validation, stage.config.batch_size, logitScale);
  const { scheduler_mode } = stage.config;
  const metric = scheduler_mode === 'min' ? -validation.loss : validation.retrieval.text_to_image.r10;
  const { state } = run;
  const bestOfStage = state.stageBest === null || metric > state.stageBest;
  const bestMode = state.best && run.settings.stages[state.best.stage]?.config.scheduler_mode;
  const best = state.best === null || bestMode !== scheduler_mode || metric > state.best.metric;
  run.state = {
    ...state,
    staleEpochs: bestOfStage ? 0 : state.staleEpochs + 1,
    stageBest: bestOfStage ? metric : state.stageBest,
    best: best ? { metric, stage: state.stage, epoch: state.epoch } : state.best,
  };
  recordValidation(run, validation, best);
  if (best) await writeCheckpoint(bestFolder(run.settings.output), contentOf(run, weights));
  await saveLast(run, weights, await runner.readState(momentNames(trainable)));
  await run.onEpoch();
}

function recordValidation(run: TrainingRun, validation: Validation, best: boolean): void {
  const { loss, chance, retrieval } = validation;
  const { stage, epoch, updates: update } = run.state;
  const text_to_image_r10 = retrieval.text_to_image.r10;
  const image_to_text_r10 = retrieval.image_to_text.r10;
  const kind = 'validation';
  record(run, {
    kind,
    stage: stage + 1,
    epoch,
    update,
    loss,
    chance,
    text_to_image_r10,
    image_to_text_r10,
    best,
  });
  run.printer.say(
    `stage ${stage + 1}/${run.settings.stages.length}  epoch ${epoch}  validation loss ${loss.toFixed(3)} ` +
      `(chance ${chance.toFixed(3)})  text→image R@10 ${text_to_image_r10.toFixed(3)}  ` +
      `image→text R@10 ${image_to_text_r10.toFixed(3)}${best ? '  best so far' : ''}`,
  );
}

const contentOf = (run: TrainingRun, weights: HostTensors) => ({
  configJson: run.assembled.configJson,
  specs: run.assembled.specs,
  weights,
  assets: run.assembled.assets,
  card: run.card(run.state),
});

const saveLast = (run: TrainingRun, weights: HostTensors, moments: HostTensors): Promise<void> =>
  writeCheckpoint(lastFolder(run.settings.output), {
    ...contentOf(run, weights),
    training: { state: run.state, moments },
  });

const readWeights = (run: TrainingRun, runner: Runner<ContrastiveProgram>): Promise<HostTensors> =>
  runner.readState(run.assembled.specs.map(({ name }) => name));

const bestWeights = (run: TrainingRun): Promise<HostTensors> =>
  loadWeights(bestFolder(run.settings.output), run.assembled.specs);

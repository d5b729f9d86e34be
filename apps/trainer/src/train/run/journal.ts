/** Where the course of training is written: metrics.jsonl, Weights & Biases, the terminal. */
import type { TrainingState } from '../../checkpoint/training-state.js';
import type { RunSettings } from '../../config/run-settings.js';
import type { Validation } from '../../evaluation/validate.js';
import type { MetricsLog, MetricsRecord } from '../../logging/metrics-log.js';
import { trainingLine, validationLine } from '../../logging/lines.js';
import { type ProgressPrinter } from '../../logging/progress.js';
import type { ExperimentLogger } from '../../logging/wandb.js';
import type { StagePlan } from '../stage/plan-stage.js';
import type { StepResult } from '../step/train-step.js';

interface StepTiming {
  seconds: number;
  /** Of those, how long the step waited for its data. */
  dataSeconds: number;
  /** The same as a fraction, smoothed over the last steps. */
  waiting: number;
  /** Smoothed over the last steps. */
  imagesPerSecond: number;
}

export interface Journal {
  /** @param state after the step */
  step(
    state: TrainingState,
    plan: StagePlan,
    result: StepResult & { learningRate: number; chance: number },
    timing: StepTiming,
  ): void;
  /** @param state after the epoch */
  validation(state: TrainingState, validation: Validation, best: boolean): void;
  log(line: string): void;
}

export function openJournal(
  { stages }: RunSettings,
  metrics: MetricsLog,
  experiment: ExperimentLogger,
  printer: ProgressPrinter,
): Journal {
  const record = (entry: MetricsRecord) => {
    metrics.append(entry);
    experiment.log(entry);
  };
  return {
    step(state, plan, { loss, chance, gradientNorm, logitScale, learningRate }, timing) {
      const { seconds, dataSeconds, imagesPerSecond, waiting } = timing;
      record({
        kind: 'step',
        stage: state.stage + 1,
        epoch: state.epoch + 1,
        update: state.updates,
        loss,
        chance,
        learning_rate: learningRate,
        gradient_norm: gradientNorm,
        logit_scale: logitScale,
        images_per_second: imagesPerSecond,
        seconds,
        data_seconds: dataSeconds,
      });
      const { name, config } = stages[state.stage]!;
      const { totalSteps } = plan.schedule;
      const done = state.epoch * plan.stepsPerEpoch + state.step;
      const line = trainingLine({
        stage: `stage ${state.stage + 1}/${stages.length} (${name})`,
        epoch: state.epoch + 1,
        epochs: config.epochs,
        step: done,
        steps: totalSteps,
        loss,
        chance,
        imagesPerSecond,
        waiting,
        secondsLeft: ((totalSteps - done) * plan.pairs) / imagesPerSecond,
      });
      printer.update(line, done === totalSteps);
    },

    validation(state, { loss, chance, retrieval }, best) {
      const entry = {
        kind: 'validation' as const,
        stage: state.stage + 1,
        epoch: state.epoch,
        update: state.updates,
        loss,
        chance,
        text_to_image_r10: retrieval.text_to_image.r10,
        image_to_text_r10: retrieval.image_to_text.r10,
        best,
      };
      record(entry);
      printer.log(validationLine(entry, stages.length));
    },

    log: (line) => printer.log(line),
  };
}

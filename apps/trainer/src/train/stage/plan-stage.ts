/** How a stage divides the data into steps. Pure. */
import { warmupSteps, type Schedule } from '@clip-ts/clip/train';
import type { TrainingConfig } from '../../config/training-config.js';
import { stepsPerEpoch } from '../../data/sampler.js';

export interface StagePlan {
  /** Pairs B that go through the towers at a time. */
  batchSize: number;
  /** Micro-batches of a step. */
  microBatches: number;
  /** Pairs N of a contrastive batch: batchSize × microBatches. */
  pairs: number;
  stepsPerEpoch: number;
  schedule: Schedule;
  /** Set when the dataset is smaller than the configured batch. */
  warning?: string;
}

/** Plans a stage over `images` training images; a batch is never larger than the dataset. */
export function planStage(config: TrainingConfig, images: number): StagePlan {
  const batchSize = Math.min(config.batch_size, images);
  const microBatches = Math.max(
    1,
    Math.min(config.gradient_accumulation_steps, Math.floor(images / batchSize)),
  );
  const pairs = batchSize * microBatches;
  const perEpoch = stepsPerEpoch(images, pairs);
  const totalSteps = perEpoch * config.epochs;
  const wanted = config.batch_size * config.gradient_accumulation_steps;
  return {
    batchSize,
    microBatches,
    pairs,
    stepsPerEpoch: perEpoch,
    schedule: {
      kind: config.lr_scheduler_type,
      peak: config.learning_rate,
      warmupSteps: warmupSteps(config.warmup_steps_factor, perEpoch, totalSteps),
      totalSteps,
    },
    ...(pairs < wanted
      ? { warning: `${images} training images: a batch has ${pairs} pairs, not ${wanted}` }
      : {}),
  };
}

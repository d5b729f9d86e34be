/**
 * trajectory.json of a training golden folder: how the reference trained, and its numbers step by step. Every key is
 * obeyed or refused by name.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ClipError } from '../../src/errors.js';
import type { DualEncoder } from '../../src/model/index.js';
import {
  learningRate,
  rateFactors,
  trainableNames,
  type LossOptions,
  type UnfrozenBlocks,
} from '../../src/train/index.js';

const blocks = z.union([
  z.int().min(0),
  z.strictObject({ vision: z.int().min(0).optional(), text: z.int().min(0).optional() }),
]);
const tower = z.enum(['vision', 'text']);

const optionsSchema = z.strictObject({
  steps: z.int().min(1),
  batch: z.int().min(2),
  /** Of the heads and of all that has no rate of its own. */
  lr: z.number().positive(),
  tower_lr: z.number().positive().optional(),
  head_lr: z.number().positive().optional(),
  logit_scale_lr: z.number().positive().optional(),
  layer_decay: z.number().positive().max(1).optional(),
  wd: z.number().min(0),
  betas: z.tuple([z.number(), z.number()]),
  eps: z.number().positive(),
  clip: z.number().positive(),
  warmup: z.int().min(0),
  schedule: z.enum(['linear', 'cosine']),
  loss: z.enum(['softmax', 'sigmoid']).optional(),
  label_smoothing: z.number().min(0).lt(1).optional(),
  lock_tower: tower.optional(),
  unfreeze_last: blocks.optional(),
});

const trajectorySchema = z.strictObject({
  transformers: z.string().optional(),
  torch: z.string().optional(),
  notes: z.string().optional(),
  frozen_towers: z.boolean().default(false),
  batch_norm: z.enum(['evaluation', 'training']).default('evaluation'),
  micro_batches_per_step: z.int().min(1).default(1),
  options: optionsSchema,
  log: z
    .array(
      z.strictObject({
        step: z.int().min(0),
        /** The rate of the step, or its factor on each group's. */
        lr: z.number().optional(),
        lr_factor: z.number().optional(),
        loss: z.number(),
        grad_norm: z.number(),
        logit_scale: z.number(),
        logit_bias: z.number().optional(),
      }),
    )
    .min(1),
});

export type Trajectory = z.output<typeof trajectorySchema>;

/** @throws ClipError MODEL_UNSUPPORTED naming keys and values that this check cannot follow */
export async function readTrajectory(folder: string): Promise<Trajectory> {
  const file = join(folder, 'trajectory.json');
  const result = trajectorySchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
  if (!result.success) {
    const problems = result.error.issues.map(
      ({ path, message }) => `${path.join('.') || 'the file'}: ${message}`,
    );
    throw new ClipError(
      'MODEL_UNSUPPORTED',
      `${file} asks for what this check cannot do: ${problems.join('; ')}`,
    );
  }
  const { options, log } = result.data;
  if (log.length !== options.steps || log.some(({ step }, i) => step !== i))
    throw inconsistent(
      file,
      `a log of the steps 0 to ${options.steps - 1}`,
      log.map(({ step }) => step).join(', '),
    );
  for (const { step, lr, lr_factor } of log) {
    const expected = rateOf(result.data, step);
    const found = lr ?? (lr_factor === undefined ? NaN : lr_factor * options.lr);
    if (!(Math.abs(found - expected) <= 1e-9 * options.lr))
      throw inconsistent(
        file,
        `the rate ${expected} that schedule and warmup give for step ${step}`,
        String(found),
      );
  }
  return result.data;
}

const inconsistent = (file: string, expected: string, found: string) =>
  new ClipError('MODEL_UNSUPPORTED', `${file} contradicts itself`, { expected, found });

/** The schedule's rate for a step, before the groups' factors. */
export function rateOf({ options }: Trajectory, step: number): number {
  const { schedule: kind, lr: peak, warmup: warmupSteps, steps: totalSteps } = options;
  return learningRate({ kind, peak, warmupSteps, totalSteps }, step);
}

/** The loss that the file names, or that of the model's kind. */
export function lossOptions({ options }: Trajectory, model: DualEncoder): LossOptions {
  const kind = options.loss ?? (model.config.kind === 'siglip' ? 'sigmoid' : 'softmax');
  if (kind === 'softmax') return { kind, labelSmoothing: options.label_smoothing };
  if (!options.label_smoothing) return { kind };
  throw new ClipError('MODEL_UNSUPPORTED', 'The sigmoid loss has no targets to smooth', {
    found: `label_smoothing ${options.label_smoothing}`,
  });
}

/** What learns, and at which share of the rate. */
export function learningOf({ options, frozen_towers }: Trajectory, model: DualEncoder, loss: LossOptions) {
  const { lr, tower_lr = lr, head_lr = lr, logit_scale_lr = lr, layer_decay = 1 } = options;
  const frozenTowers = frozen_towers || (options.lock_tower ?? false);
  const unfreezeLast = unfrozenBlocks(options.unfreeze_last);
  const parts = { frozenTowers, learnTemperature: true, loss: loss.kind, unfreezeLast };
  const trainable = trainableNames(model, model.layer.specs(''), parts);
  const rates = {
    towers: tower_lr / lr,
    heads: head_lr / lr,
    logitScale: logit_scale_lr / lr,
    layerDecay: layer_decay,
  };
  return { frozenTowers, trainable, factors: rateFactors(model, trainable, rates) };
}

const unfrozenBlocks = (blocks: Trajectory['options']['unfreeze_last']): UnfrozenBlocks | undefined =>
  typeof blocks === 'number' ? { vision: blocks, text: blocks } : blocks;

/**
 * input/freeze_training_config.json (stage 1, frozen towers) and input/training_config.json (stage 2, everything). The
 * keys up to `seed` are the original script's; the rest are optional and have its implicit values as defaults.
 */
import { z } from 'zod';

/**
 * Random changes to the images of training, which data/images/view.ts draws. 'mild' leaves every caption true: a mirrored
 * image would make "left of" false. 'photo' is for captions that rarely mention left or right.
 */
const AUGMENTATIONS = ['none', 'mild', 'photo'] as const;
export type Augmentation = (typeof AUGMENTATIONS)[number];

const integer = (low: number) =>
  z.int('expected an integer').min(low, `expected an integer of at least ${low}`);
const atLeast = (low: number) =>
  z.number('expected a number').min(low, `expected a number of at least ${low}`);
const positive = z.number('expected a number').gt(0, 'expected a number above 0');
const beta = z.number('expected a number').min(0, 'expected 0 ≤ beta < 1').lt(1, 'expected 0 ≤ beta < 1');
const flag = z.union([z.boolean(), z.literal(0), z.literal(1)], 'expected 0 or 1').transform(Boolean);

const blocks = z.int('expected an integer').min(0, 'expected an integer of at least 0');
const TOWERS = z.enum(['vision', 'text'], 'expected "vision" or "text"');

export const trainingConfigSchema = z.strictObject({
  output_dir: z.string('expected a folder').min(1, 'expected a folder'),
  learning_rate: positive,
  weight_decay: atLeast(0),
  /** Pairs that go through the towers at a time. */
  batch_size: integer(2),
  /** 0 skips the stage. */
  epochs: integer(0),
  /** Threads that decode training images. */
  dataloader_num_workers: integer(1),
  /** The contrastive batch is batch_size × this: each pair is contrasted with all pairs of the step. */
  gradient_accumulation_steps: integer(1),
  /** Length of the warm-up in quarters of an epoch. */
  warmup_steps_factor: atLeast(0),
  /** Stop after this many epochs without a better validation metric; 0 never stops early. */
  early_stopping: integer(0),
  device: z.enum(['cuda', 'cpu'], 'expected "cuda" or "cpu"'),
  fp16: flag,
  /** Threads that decode validation images. */
  num_workers_dataloader: integer(1),
  /** Direction of the validation metric: "min" takes the loss, "max" text-to-image R@10. */
  scheduler_mode: z.enum(['min', 'max'], 'expected "min" or "max"'),
  seed: integer(0),

  lr_scheduler_type: z.enum(['linear', 'cosine'], 'expected "linear" or "cosine"').default('linear'),
  adam_beta1: beta.default(0.9),
  adam_beta2: beta.default(0.999),
  adam_epsilon: positive.default(1e-8),
  max_grad_norm: positive.default(1),
  augmentation: z.enum(AUGMENTATIONS, `expected one of ${AUGMENTATIONS.join(', ')}`).default('none'),
  /** Stage 1 with augmentation: views of each image whose features are kept; 0 runs the towers at each step instead. */
  cached_views: integer(0).default(0),
  /** In stage 2: "training" normalises by the batch's statistics and updates the running ones. */
  batch_norm: z.enum(['evaluation', 'training'], 'expected "evaluation" or "training"').default('evaluation'),
  /** Fraction of a split's images that `--verify` may find unreadable and leave out. */
  max_bad_fraction: z
    .number('expected a number')
    .min(0, 'expected 0 ≤ max_bad_fraction ≤ 1')
    .max(1, 'expected 0 ≤ max_bad_fraction ≤ 1')
    .default(0.01),
  /** The whole model that the run starts from: hub id or folder. Absent: model_config.json's towers with new heads. */
  init_from: z.string('expected a hub id or a folder').min(1, 'expected a hub id or a folder').optional(),
  /** 'softmax' is CLIP's loss, 'sigmoid' SigLIP's. Absent: the model's own, softmax for a new one. */
  loss: z.enum(['softmax', 'sigmoid'], 'expected "softmax" or "sigmoid"').optional(),
  /** Share of each target that is spread over all pairs of the batch. Absent: 0. */
  label_smoothing: z
    .number('expected a number')
    .min(0, 'expected 0 ≤ x < 1')
    .lt(1, 'expected 0 ≤ x < 1')
    .optional(),
  /** Highest rates of the groups. Absent: learning_rate. */
  tower_learning_rate: positive.optional(),
  head_learning_rate: positive.optional(),
  /** Of logit_scale and logit_bias. */
  logit_scale_learning_rate: positive.optional(),
  /** Factor on a tower's rate for each block that lies between a tensor and the tower's output. Absent: 1. */
  layer_decay: positive.max(1, 'expected at most 1').optional(),
  /** In stage 2: the tower that keeps its weights (LiT). */
  lock_tower: TOWERS.optional(),
  /** In stage 2: the blocks of a tower that learn, counted from its end, with what follows them. Absent: the whole tower. */
  unfreeze_last: z
    .union(
      [blocks, z.strictObject({ vision: blocks.optional(), text: blocks.optional() })],
      'expected a number of blocks, or {"vision": number, "text": number}',
    )
    .optional(),
  /** In stage 2: blocks of the towers compute their inner values again in the backward pass instead of keeping them. */
  gradient_checkpointing: flag.default(false),
  /** Seconds between resumable checkpoints within an epoch. */
  checkpoint_seconds: positive.default(300),
});

export type TrainingConfig = z.infer<typeof trainingConfigSchema>;

/** `trainer pretrain`: trains a dual encoder in two stages and exports it. */
import { Option, type Command } from 'commander';
import { BACKEND_NAMES, type BackendName } from '../backend/names.js';
import { DEFAULT_IMAGE_MEMORY_GB, GIGABYTE, numberFromZero, integer } from './options.js';
import { InputError } from '../errors.js';
import { readSettings, type SettingsOptions } from '../config/run-settings.js';

interface PretrainFlags extends SettingsOptions {
  backend: BackendName;
  imageMemory: number;
  imageCache?: string;
  featureCache: string;
  restart: boolean;
  extend: boolean;
  verify: boolean;
  ignoreMemory: boolean;
  dryRun: boolean;
}

export function addPretrainCommand(program: Command): void {
  program
    .command('pretrain')
    .description('train a dual encoder in two stages (heads on frozen towers, then everything) and export it')
    .option(
      '--data <path>',
      'dataset: COCO folder, CSV, TSV or JSONL, tar shards, or a folder for each class',
      'input/MSCOCO',
    )
    .option('--train-split <name>', 'split to train on (default: train2017 or the like)')
    .option('--validation-split <name>', 'split to validate on (default: val2017 or the like)')
    .option('--output <folder>', "the run's folder (default: output_dir of the training config)")
    .option(
      '--model-config <file>',
      'towers and heads (default: "input/model_config.json", unless there is --init-from)',
    )
    .option(
      '--init-from <model>',
      'whole model to start from, hub id or folder: CLIP, SigLIP, VisionTextDualEncoder or a checkpoint',
    )
    .option('--freeze-training-config <file>', 'stage 1', 'input/freeze_training_config.json')
    .option('--training-config <file>', 'stage 2', 'input/training_config.json')
    .option(
      '--wandb-config <file>',
      'Weights & Biases account; placeholders turn logging off (default: "input/wandb_config.json" if it exists)',
    )
    .addOption(new Option('--backend <name>', 'what computes').choices(BACKEND_NAMES).default('auto'))
    .option('--seed <number>', 'instead of the seeds of both configs', integer('--seed', 0))
    .option(
      '--freeze-epochs <number>',
      'instead of the epochs of stage 1; 0 skips it',
      integer('--freeze-epochs', 0),
    )
    .option('--epochs <number>', 'instead of the epochs of stage 2; 0 skips it', integer('--epochs', 0))
    .option('--batch-size <pairs>', 'instead of the batch sizes of both configs', integer('--batch-size', 2))
    .option(
      '--gradient-checkpointing',
      'stage 2 in less memory: towers compute what is inside their blocks again in the backward pass',
    )
    .option(
      '--image-memory <gigabytes>',
      'decoded images kept in memory; 0 keeps none',
      numberFromZero('--image-memory'),
      DEFAULT_IMAGE_MEMORY_GB,
    )
    .option(
      '--image-cache <folder>',
      'keep resized images there, for this run and later ones: for what does not fit in memory (crops of the originals, as ' +
        'augmentation takes them, are not kept)',
    )
    .option(
      '--workers <threads>',
      'threads that decode images (default: dataloader_num_workers and num_workers_dataloader, but no more than cores)',
      integer('--workers', 1, 256),
    )
    .option(
      '--feature-cache <folder>',
      'where features of frozen towers are kept, for this run and later ones',
      'data/features',
    )
    .option('--verify', 'decode every image before training, and leave out those that cannot be', false)
    .option(
      '--extend',
      'train a finished run for more epochs: raise "epochs" of its last stage (or --epochs)',
      false,
    )
    .option(
      '--dry-run',
      'print the plan, draw the first batch as first-batch.png in --output, and end',
      false,
    )
    .option('--ignore-memory', 'start although the memory may not suffice', false)
    .option('--restart', 'start over although the output folder holds a run', false)
    .action(runPretrain);
}

/** A ClipError by name: importing the class would load the whole package before the command line is read. */
const isUnreadableImage = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('IMAGE_');

async function runPretrain(flags: PretrainFlags): Promise<void> {
  const settings = await readSettings(flags);
  const { backend, restart, extend, verify, imageMemory, imageCache, featureCache, ignoreMemory, dryRun } =
    flags;
  const { pretrain } = await import('../train/pretrain.js');
  try {
    await pretrain({
      settings,
      backend,
      restart,
      extend,
      verify,
      ignoreMemory,
      dryRun,
      imageMemory: imageMemory * GIGABYTE,
      imageCache,
      featureFolder: featureCache,
    });
  } catch (error) {
    throw isUnreadableImage(error)
      ? new InputError(
          `${error.message}; --verify finds all such images before training, and leaves them out when they are few`,
        )
      : error;
  }
}

/** `trainer sample-data`: draws the sample dataset. */
import type { Command } from 'commander';
import { whileRoomLasts } from '../disk-space.js';
import { InputError } from '../errors.js';
import { integer } from './options.js';

interface SampleDataOptions {
  output: string;
  seed: number;
  size: number;
  train: number;
  val: number;
  heldOut: number;
  force: boolean;
}

const SPLIT_LIMIT = 99_999;

export function addSampleDataCommand(program: Command): void {
  program
    .command('sample-data')
    .description('draw a dataset of captioned scenes in COCO format, to train on when there is no other data')
    .option('--output <folder>', 'where the dataset goes', 'data/sample/dataset')
    .option('--seed <number>', 'another seed draws other scenes', integer('--seed', 0), 2017)
    .option('--size <pixels>', 'side of an image', integer('--size', 32, 1024), 64)
    .option('--train <images>', 'images in train2017', integer('--train', 1, SPLIT_LIMIT), 4000)
    .option('--val <images>', 'images in val2017', integer('--val', 1, SPLIT_LIMIT), 500)
    .option('--held-out <images>', 'images in valheldout2017', integer('--held-out', 1, SPLIT_LIMIT), 500)
    .option('--force', 'replace another sample dataset at the output', false)
    .action(runSampleData);
}

async function runSampleData({ output, force, ...numbers }: SampleDataOptions): Promise<void> {
  const { existingDataset, generateSampleDataset, RECIPE_VERSION } =
    await import('../sample-data/generate.js');
  const { train, val, heldOut, seed, size } = numbers;
  const recipe = { version: RECIPE_VERSION, seed, size, train, val, heldOut };
  const existing = await existingDataset(output, recipe);
  if (existing === 'same') {
    console.log(`The sample dataset is already in ${output}.`);
    return;
  }
  if (existing === 'other-sample' && !force) {
    throw new InputError(
      `--output ${output} holds a sample dataset made with other options; pass --force to replace it`,
    );
  }
  const started = performance.now();
  let nextReport = 1000;
  const draw = () =>
    generateSampleDataset(output, recipe, (done, total) => {
      if (done < nextReport && done < total) return;
      nextReport = done + 1000;
      console.log(`drew ${done} of ${total} images`);
    });
  await whileRoomLasts(
    `--output ${output}`,
    'no partial dataset was kept; make room, or name a folder on another disk',
    draw,
  ).catch((error: unknown) => {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new InputError(
      `--output ${output} cannot be written: ${error.message}; name a folder that this user may write`,
    );
  });
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `Sample dataset in ${output}: ${train} + ${val} + ${heldOut} images in ${seconds.toFixed(1)} s`,
  );
}

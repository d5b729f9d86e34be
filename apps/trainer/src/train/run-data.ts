/** The data of a run: both splits, read and made ready for a model. */
import { fingerprint } from '../data/fingerprint.js';
import { openPairSource, type PairSource } from '../data/pair-source.js';
import { readTrainingData, type CaptionedSplit } from '../data/read-dataset.js';
import type { RunSettings } from '../config/run-settings.js';
import { InputError } from '../errors.js';
import type { ProgressPrinter } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';

export interface RunSplits {
  training: CaptionedSplit;
  validation: CaptionedSplit;
  /** Hashes of the splits' content. */
  fingerprints: Record<'training' | 'validation', string>;
}

/** @throws InputError when a split cannot be trained or validated on */
export async function readSplits(
  { data, trainSplit, validationSplit }: RunSettings,
  log: (line: string) => void,
): Promise<RunSplits> {
  const names = { training: trainSplit, validation: validationSplit };
  const { training, validation } = await readTrainingData(data, names);
  if (training.images.length < 2)
    throw new InputError(`--data ${data}: ${training.split} needs at least 2 images`);
  for (const warning of [...training.warnings, ...validation.warnings]) log(`warning: ${warning}`);
  const fingerprints = {
    training: await fingerprint(training.images),
    validation: await fingerprint(validation.images),
  };
  return { training, validation, fingerprints };
}

/** @param memoryLimit bytes of decoded images that may be kept, for each split */
export async function openSources(
  splits: RunSplits,
  assembled: AssembledModel,
  { stages }: RunSettings,
  memoryLimit: number,
  printer: ProgressPrinter,
): Promise<{ training: PairSource; validation: PairSource }> {
  const { config } = stages[0]!;
  const open = (split: CaptionedSplit, workers: number) =>
    openPairSource(split, assembled, { memoryLimit, workers, printer });
  return {
    training: await open(splits.training, config.dataloader_num_workers),
    validation: await open(splits.validation, config.num_workers_dataloader),
  };
}

/** The data of a run: both splits, read and made ready for a model. */
import { openPairSource, type PairSource } from '../data/pair-source.js';
import { readCocoSplit, type CocoSplit } from '../data/read-coco.js';
import type { RunSettings } from '../config/run-settings.js';
import { InputError } from '../errors.js';
import type { ProgressPrinter } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';

export interface RunSplits {
  training: CocoSplit;
  validation: CocoSplit;
}

/** @throws InputError when a split cannot be trained or validated on */
export async function readSplits(
  { data, trainSplit, validationSplit }: RunSettings,
  log: (line: string) => void,
): Promise<RunSplits> {
  const training = await readCocoSplit(data, trainSplit);
  const validation = await readCocoSplit(data, validationSplit);
  if (training.images.length < 2)
    throw new InputError(`--data ${data}: ${trainSplit} needs at least 2 images`);
  for (const warning of [...training.warnings, ...validation.warnings]) log(`warning: ${warning}`);
  return { training, validation };
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
  const open = (split: CocoSplit, workers: number) =>
    openPairSource(split, assembled, { memoryLimit, workers, printer });
  return {
    training: await open(splits.training, config.dataloader_num_workers),
    validation: await open(splits.validation, config.num_workers_dataloader),
  };
}

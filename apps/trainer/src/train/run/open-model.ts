/** The model that a run trains: newly assembled, or reopened from the run's checkpoint. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '@clip-ts/clip/files';
import { bestFolder, lastFolder } from '../../checkpoint/run-folder.js';
import type { TrainingState } from '../../checkpoint/training-state.js';
import type { RunSettings } from '../../config/run-settings.js';
import { InputError } from '../../errors.js';
import { assembleModel } from '../../model/assemble-model.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import { initModel } from '../../model/init-model.js';
import { reopenModel } from '../../model/reopen-model.js';
import type { RunSplits } from './run-data.js';

/** @param restart removes the checkpoints that the folder holds */
export async function openModel(
  { output, model, modelFile, stages }: RunSettings,
  { stage, epoch, step, updates, finished }: TrainingState,
  { training }: RunSplits,
  restart: boolean,
  log: (line: string) => void,
): Promise<AssembledModel> {
  const captions = training.images.flatMap((image) => image.captions);
  if (updates > 0 || stage > 0) {
    const where = finished ? 'training is done' : `stage ${stage + 1}, epoch ${epoch + 1}, step ${step}`;
    log(`resuming from ${lastFolder(output)}: ${where}`);
    return reopenModel(lastFolder(output), { maxLengthCorpus: model.max_length_corpus, captions });
  }
  if (model.init_from !== undefined) assertOutsideOutput(model.init_from, output);
  if (restart) {
    for (const folder of [lastFolder(output), bestFolder(output)])
      await rm(folder, { recursive: true, force: true });
  }
  await makeFolder(output);
  const { seed, loss } = stages[0]!.config;
  const options = { configFile: modelFile, corpus: captions, seed, log };
  if (model.init_from !== undefined) return initModel({ ...options, config: model, loss });
  const assetFolder = path.join(output, 'assets');
  return assembleModel({ ...options, config: model, loss: loss ?? 'softmax', assetFolder });
}

/** A run replaces the checkpoints of its output folder, and may need the model that it started from again. */
function assertOutsideOutput(initFrom: string, output: string): void {
  const source = path.resolve(initFrom);
  if (![lastFolder(output), bestFolder(output)].some((folder) => source === path.resolve(folder))) return;
  throw new InputError(
    `init_from ${initFrom} is in the run's own output folder, whose checkpoints the run replaces; name another --output`,
    'INIT_FROM_IN_OUTPUT',
  );
}

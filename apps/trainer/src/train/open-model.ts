/** The model that a run trains: put together anew, or reopened from where the run stands. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { bestFolder, lastFolder } from '../checkpoint/run-folder.js';
import type { TrainingState } from '../checkpoint/training-state.js';
import type { RunSettings } from '../config/run-settings.js';
import { assembleModel } from '../model/assemble-model.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { reopenModel } from '../model/reopen-model.js';
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
  if (restart) {
    for (const folder of [lastFolder(output), bestFolder(output)])
      await rm(folder, { recursive: true, force: true });
  }
  await mkdir(output, { recursive: true });
  return assembleModel({
    config: model,
    configFile: modelFile,
    corpus: captions,
    seed: stages[0]!.config.seed,
    loss: stages[0]!.config.loss ?? 'softmax',
    assetFolder: path.join(output, 'assets'),
    log,
  });
}

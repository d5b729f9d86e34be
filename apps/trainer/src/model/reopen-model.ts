/** The model of a checkpoint folder of this trainer, as it was saved. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { ImageProcessor, loadTokenizer } from '@clip-ts/clip';
import { dualEncoderSpecs, loadDualEncoder, readConfig } from '@clip-ts/clip/model';
import { InputError } from '../errors.js';
import type { AssembledModel } from './assembled-model.js';
import { captionLength } from './caption-length.js';
import { PROCESSOR_FILE } from './image-processor.js';
import { readAssets } from './tower-parts.js';
import { TOKENIZER_FILES } from './tokenizer.js';

/** @param maxLengthCorpus as in model_config.json; −1 for as many tokens as tower and tokenizer take */
export async function reopenModel(folder: string, maxLengthCorpus = -1): Promise<AssembledModel> {
  const configJson = await readConfig(folder);
  const { model, tensors: weights } = await loadDualEncoder(folder);
  const tokenizer = await loadTokenizer(folder);
  return {
    model,
    specs: dualEncoderSpecs(model),
    configJson,
    weights,
    tokenizer,
    processor: await ImageProcessor.load(folder),
    ...captionLength(model, tokenizer, maxLengthCorpus, folder),
    assets: await readAssets(folder, [...TOKENIZER_FILES, PROCESSOR_FILE]),
  };
}

/** @throws InputError when the folder named by --checkpoint holds no checkpoint */
export async function assertCheckpoint(folder: string): Promise<void> {
  await access(path.join(folder, 'config.json')).catch(() => {
    throw new InputError(`--checkpoint ${folder}: no config.json there; train one with: trainer pretrain`);
  });
}

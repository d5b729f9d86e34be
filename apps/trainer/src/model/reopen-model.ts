/** The model of a checkpoint folder of this trainer, as it was saved. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { loadTokenizer } from '@clip-ts/clip';
import { dualEncoderSpecs, loadDualEncoder, readConfig } from '@clip-ts/clip/model';
import { InputError } from '../errors.js';
import type { AssembledModel } from './assembled-model.js';
import { captionLimit } from './caption-length.js';
import { folderParts } from './folder-parts.js';
import { measureCaptions, tokenizeTexts } from './measure-captions.js';

/** As `assembleModel` takes them; captions are as long as tower and tokenizer take without. */
export interface ReopenCaptions {
  maxLengthCorpus: number;
  captions: readonly string[];
}

export async function reopenModel(folder: string, training?: ReopenCaptions): Promise<AssembledModel> {
  const configJson = await readConfig(folder);
  const { model, tensors: weights } = await loadDualEncoder(folder);
  const tokenizer = await loadTokenizer(folder);
  const corpus = training && tokenizeTexts(training.captions, tokenizer, captionLimit(model, tokenizer));
  const policy = training &&
    corpus && {
      maxLengthCorpus: training.maxLengthCorpus,
      lengths: measureCaptions(corpus, tokenizer.unknownTokenId).lengths,
      source: folder,
    };
  return {
    model,
    specs: dualEncoderSpecs(model),
    configJson,
    weights,
    ...(await folderParts(folder, model, tokenizer, policy)),
    ...(corpus && { corpus }),
  };
}

/** @throws InputError when the folder named by --checkpoint holds no checkpoint */
export async function assertCheckpoint(folder: string): Promise<void> {
  await access(path.join(folder, 'config.json')).catch(() => {
    throw new InputError(
      `--checkpoint ${folder}: there is no config.json; npx nx run trainer:pretrain makes a checkpoint`,
    );
  });
}

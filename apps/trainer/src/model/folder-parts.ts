/** What a whole model's folder has beside its weights: tokenizer, image processor, and the files of both. */
import { ImageProcessor, type Tokenizer } from '@clip-ts/clip';
import type { DualEncoder } from '@clip-ts/clip/model';
import type { AssembledModel } from './assembled-model.js';
import { captionLength, type LengthPolicy } from './caption-length.js';
import { PROCESSOR_FILE } from './image-processor.js';
import { readAssets } from './tower-parts.js';
import { TOKENIZER_FILES } from './tokenizer.js';

type FolderParts = Pick<AssembledModel, 'tokenizer' | 'processor' | 'maxLength' | 'minLength' | 'assets'>;

/** @param policy as {@link captionLength} takes it */
export const folderParts = async (
  folder: string,
  model: DualEncoder,
  tokenizer: Tokenizer,
  policy?: LengthPolicy,
): Promise<FolderParts> => ({
  tokenizer,
  processor: await ImageProcessor.load(folder),
  ...captionLength(model, tokenizer, policy),
  assets: await readAssets(folder, [...TOKENIZER_FILES, PROCESSOR_FILE]),
});

/** How many tokens captions have: what tower and tokenizer allow, narrowed by max_length_corpus. */
import type { Tokenizer } from '@clip-ts/clip';
import type { DualEncoder } from '@clip-ts/clip/model';
import { InputError } from '../errors.js';

/** Batches are padded to a multiple of this many tokens, so that few shapes occur: each is compiled once. */
export const LENGTH_STEP = 8;

/** Where neither the tower nor the tokenizer has a limit. */
const DEFAULT_LIMIT = 512;

export interface CaptionLength {
  /** Tokens that a caption may have, special tokens included. */
  maxLength: number;
  /** Tokens that batches of captions are padded to at least. */
  minLength: number;
}

/**
 * @param maxLengthCorpus "max_length_corpus": tokens, or −1 for as many as tower and tokenizer take
 * @param source the file that says so, for the error
 * @throws InputError when the tower cannot take texts of that length
 */
export function captionLength(
  model: DualEncoder,
  tokenizer: Tokenizer,
  maxLengthCorpus: number,
  source: string,
): CaptionLength {
  const limit = Math.min(model.text.maxTokens ?? DEFAULT_LIMIT, tokenizer.maxLength, DEFAULT_LIMIT);
  if (maxLengthCorpus > limit) {
    throw new InputError(
      `${source}: "max_length_corpus": the text tower takes at most ${limit} tokens, found ${maxLengthCorpus}`,
    );
  }
  const maxLength = maxLengthCorpus === -1 ? limit : maxLengthCorpus;
  if (!readsPadding(model)) return { maxLength, minLength: 1 };
  if (maxLength < limit) {
    throw new InputError(
      `${source}: "max_length_corpus": a ${model.text.modelType} reads its padding too, so it takes all ${limit} tokens; ` +
        `expected -1, found ${maxLengthCorpus}`,
    );
  }
  return { maxLength, minLength: maxLength };
}

/** SigLIP's text tower pools the last token, so every text is padded to one length. */
const readsPadding = (model: DualEncoder) => model.text.modelType === 'siglip_text_model';

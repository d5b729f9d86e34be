/** How many tokens captions have: what tower and tokenizer allow, narrowed by max_length_corpus or by the captions. */
import type { Tokenizer } from '@clip-ts/clip';
import type { DualEncoder } from '@clip-ts/clip/model';
import { InputError } from '../errors.js';
import { quantile } from './measure-captions.js';

/** Batches are padded to a multiple of this many tokens, so that few shapes occur: each is compiled once. */
export const LENGTH_STEP = 8;

/** "max_length_corpus": −1 leaves the longest captions of the training split truncated, 0.5 % of them. */
const LENGTH_QUANTILE = 0.995;

/** Where neither the tower nor the tokenizer has a limit. */
const DEFAULT_LIMIT = 512;

export interface CaptionLength {
  /** Tokens that a caption may have, special tokens included. */
  maxLength: number;
  /** Tokens that batches of captions are padded to at least. */
  minLength: number;
}

/** The length that fits nearly all captions. @param lengths of the captions of the training split, in tokens */
export const usualLength = (lengths: ArrayLike<number>): number =>
  Math.ceil(quantile(lengths, LENGTH_QUANTILE));

/** Tokens that tower and tokenizer take. */
export const captionLimit = (model: DualEncoder, tokenizer: Tokenizer): number =>
  Math.min(model.text.maxTokens ?? DEFAULT_LIMIT, tokenizer.maxLength, DEFAULT_LIMIT);

export interface LengthPolicy {
  /** "max_length_corpus": tokens, or −1 for the usual length of the captions. */
  maxLengthCorpus: number;
  /** Of the captions of the training split, in tokens. */
  lengths: ArrayLike<number>;
  /** The file that says so, for the error. */
  source: string;
}

/**
 * @param policy absent: captions may be as long as tower and tokenizer take
 * @throws InputError when the tower cannot take texts of that length
 */
export function captionLength(
  model: DualEncoder,
  tokenizer: Tokenizer,
  policy?: LengthPolicy,
): CaptionLength {
  const limit = captionLimit(model, tokenizer);
  if (policy === undefined) return { maxLength: limit, minLength: readsPadding(model) ? limit : 1 };
  const { maxLengthCorpus, lengths, source } = policy;
  if (maxLengthCorpus > limit) {
    throw new InputError(
      `${source}: "max_length_corpus": the text tower takes at most ${limit} tokens, found ${maxLengthCorpus}`,
    );
  }
  if (!readsPadding(model)) {
    const maxLength = maxLengthCorpus === -1 ? Math.min(usualLength(lengths), limit) : maxLengthCorpus;
    return { maxLength, minLength: 1 };
  }
  if (maxLengthCorpus !== -1 && maxLengthCorpus < limit) {
    throw new InputError(
      `${source}: "max_length_corpus": a ${model.text.modelType} reads its padding too, so it takes all ${limit} tokens; ` +
        `expected -1, found ${maxLengthCorpus}`,
    );
  }
  return { maxLength: limit, minLength: limit };
}

/** SigLIP's text tower pools the last token, so every text is padded to one length. */
const readsPadding = (model: DualEncoder) => model.text.modelType === 'siglip_text_model';

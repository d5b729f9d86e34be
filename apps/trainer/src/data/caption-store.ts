/**
 * The tokenised captions of a split, flat: the token ids of all captions one after another, and where each starts.
 */
import type { Tokenizer } from '@clip-ts/clip';
import type { HostTensor } from '@clip-ts/clip/model';
import { int32 } from '@clip-ts/clip/train';
import { captionChoice } from './sampler.js';
import { LENGTH_STEP, type CaptionLength } from '../model/caption-length.js';
import { tokenizeTexts, truncateTexts, type TokenizedTexts } from '../model/measure-captions.js';

export interface CaptionStore extends CaptionLength {
  /** Number of captions C. */
  count: number;
  /** First caption of each image; [N + 1]. Captions of image n are first[n] … first[n + 1] − 1. */
  first: Int32Array;
  /** Token ids of all captions. */
  ids: Int32Array;
  /** Start of each caption in `ids`; [C + 1]. */
  starts: Int32Array;
  padTokenId: number;
}

/**
 * @param captions [N] the captions of each image
 * @param known tokens of all these captions, which need not be tokenised again
 */
export function tokenizeCaptions(
  captions: readonly (readonly string[])[],
  tokenizer: Tokenizer,
  { minLength, maxLength }: CaptionLength,
  known?: TokenizedTexts,
): CaptionStore {
  const texts = captions.flat();
  const first = new Int32Array(captions.length + 1);
  captions.forEach((own, image) => (first[image + 1] = first[image]! + own.length));
  const { ids, starts } =
    known === undefined
      ? tokenizeTexts(texts, tokenizer, maxLength)
      : truncateTexts(texts, known, tokenizer, maxLength);
  const { padTokenId } = tokenizer;
  return { count: texts.length, first, ids, starts, padTokenId, minLength, maxLength };
}

/** The caption that an epoch shows of each of some images. */
export const shownCaptions = (
  { first }: CaptionStore,
  images: Int32Array,
  epoch: number,
  seed: number,
): number[] =>
  Array.from(images, (image) => {
    const [from, to] = [first[image]!, first[image + 1]!];
    return from + captionChoice(seed, epoch, image, to - from);
  });

/** The same captions, padded to the length of the longest in every batch. */
export function paddedToOneLength(store: CaptionStore): CaptionStore {
  let longest = store.minLength;
  for (let c = 0; c < store.count; c++) longest = Math.max(longest, store.starts[c + 1]! - store.starts[c]!);
  return { ...store, minLength: longest };
}

/**
 * input_ids and attention_mask [B, T] of some captions.
 * @param minLength of T, beside the store's own
 * @param step T is a multiple of it, where captions may be that long
 */
export function captionBatch(
  store: CaptionStore,
  captions: ArrayLike<number>,
  { minLength = 1, step = LENGTH_STEP }: { minLength?: number; step?: number } = {},
): { input_ids: HostTensor; attention_mask: HostTensor } {
  const B = captions.length;
  let longest = Math.max(minLength, store.minLength);
  for (let b = 0; b < B; b++) {
    longest = Math.max(longest, store.starts[captions[b]! + 1]! - store.starts[captions[b]!]!);
  }
  const T = Math.min(store.maxLength, Math.ceil(longest / step) * step);
  const ids = new Int32Array(B * T).fill(store.padTokenId);
  const mask = new Int32Array(B * T);
  for (let b = 0; b < B; b++) {
    const own = store.ids.subarray(store.starts[captions[b]!], store.starts[captions[b]! + 1]);
    ids.set(own, b * T);
    mask.fill(1, b * T, b * T + own.length);
  }
  return { input_ids: int32(ids, [B, T]), attention_mask: int32(mask, [B, T]) };
}

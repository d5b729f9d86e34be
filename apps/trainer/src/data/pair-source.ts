/** A split of a dataset as batches need it: images and tokenised captions. */
import type { AssembledModel } from '../model/assembled-model.js';
import type { TokenizedTexts } from '../model/measure-captions.js';
import { tokenizeCaptions, type CaptionStore } from './caption-store.js';
import {
  openPixelSources,
  type KeptImages,
  type PixelSource,
  type PixelSourceOptions,
} from './images/pixel-source.js';
import type { CaptionedSplit } from './read-dataset.js';

export interface PairSource {
  pixels: PixelSource;
  captions: CaptionStore;
}

export interface PairSources {
  /** In the order of the splits. */
  sources: PairSource[];
  /** Ends the threads that decode images. */
  close: () => Promise<void>;
}

interface SplitOptions extends Omit<PixelSourceOptions, 'images'> {
  split: CaptionedSplit;
  tokens?: TokenizedTexts | undefined;
}

/**
 * Tokenises all captions; images are decoded when they are asked for.
 * @param splits with the number of threads that decode their images, and the tokens of their captions where they are known
 */
export function openPairSources(
  splits: readonly SplitOptions[],
  assembled: AssembledModel,
  kept: KeptImages,
): PairSources {
  const images = splits.map(({ split, ...options }) => ({ images: split.images, ...options }));
  const { sources, close } = openPixelSources(images, assembled, kept);
  return {
    sources: splits.map(({ split, tokens }, index) => ({
      pixels: sources[index]!,
      captions: tokenizeCaptions(
        split.images.map(({ captions }) => captions),
        assembled.tokenizer,
        assembled,
        tokens,
      ),
    })),
    close,
  };
}

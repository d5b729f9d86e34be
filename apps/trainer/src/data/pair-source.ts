/** A split of a dataset as batches need it: images and tokenised captions. */
import type { AssembledModel } from '../model/assembled-model.js';
import type { TokenizedTexts } from '../model/measure-captions.js';
import { tokenizeCaptions, type CaptionStore } from './caption-store.js';
import {
  openPixelSources,
  type PixelSource,
  type PixelSourceOptions,
  type PixelSources,
} from './images/pixel-source.js';
import type { CaptionedSplit } from './read-dataset.js';

export interface PairSource {
  pixels: PixelSource;
  captions: CaptionStore;
}

export interface PairSources extends Pick<PixelSources, 'keepImages' | 'close'> {
  /** In the order of the splits. */
  sources: PairSource[];
}

interface SplitOptions extends Omit<PixelSourceOptions, 'images'> {
  split: CaptionedSplit;
  tokens?: TokenizedTexts | undefined;
}

/**
 * Tokenises all captions; images are decoded when they are asked for.
 * @param splits with the number of threads that decode their images, and the tokens of their captions where they are known
 * @param onWarning gets a line when the disk takes no more images
 */
export function openPairSources(
  splits: readonly SplitOptions[],
  assembled: AssembledModel,
  onWarning?: (line: string) => void,
): PairSources {
  const images = splits.map(({ split, ...options }) => ({ images: split.images, ...options }));
  const { sources, ...rest } = openPixelSources(images, assembled, onWarning);
  return {
    ...rest,
    sources: splits.map(({ split, tokens }, index) => ({
      pixels: sources[index]!,
      captions: tokenizeCaptions(
        split.images.map(({ captions }) => captions),
        assembled.tokenizer,
        assembled,
        tokens,
      ),
    })),
  };
}

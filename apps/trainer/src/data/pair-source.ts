/** A split of a dataset as batches need it: images and tokenised captions. */
import type { AssembledModel } from '../model/assembled-model.js';
import { tokenizeCaptions, type CaptionStore } from './caption-store.js';
import { openPixelSources, type PixelSource } from './images/pixel-source.js';
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

/**
 * Tokenises all captions; images are decoded when they are asked for.
 * @param splits with the number of threads that decode their images
 * @param memoryLimit bytes of decoded images to keep, of all splits together
 */
export function openPairSources(
  splits: readonly { split: CaptionedSplit; threads: number }[],
  assembled: AssembledModel,
  memoryLimit: number,
): PairSources {
  const images = splits.map(({ split, threads }) => ({ images: split.images, threads }));
  const { sources, close } = openPixelSources(images, assembled, memoryLimit);
  return {
    sources: splits.map(({ split }, index) => ({
      pixels: sources[index]!,
      captions: tokenizeCaptions(
        split.images.map(({ captions }) => captions),
        assembled.tokenizer,
        assembled,
      ),
    })),
    close,
  };
}

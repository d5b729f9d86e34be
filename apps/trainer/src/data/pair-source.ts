/** A split of a dataset as batches need it: decoded images and tokenised captions. */
import type { ProgressPrinter } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { tokenizeCaptions, type CaptionStore } from './caption-store.js';
import { openPixelStore, type PixelProcessor, type PixelStore } from './pixel-store.js';
import type { CaptionedSplit } from './read-dataset.js';

export interface PairSource {
  pixels: PixelStore;
  captions: CaptionStore;
  processor: PixelProcessor;
}

export interface PairSourceOptions {
  /** Bytes of decoded images to keep. */
  memoryLimit: number;
  /** Images decoded at a time. */
  workers: number;
  printer: ProgressPrinter;
}

/** Tokenises all captions; images are decoded when the first of them is asked for. */
export async function openPairSource(
  { split, images }: CaptionedSplit,
  { tokenizer, processor, minLength, maxLength }: AssembledModel,
  { memoryLimit, workers, printer }: PairSourceOptions,
): Promise<PairSource> {
  const captions = tokenizeCaptions(
    images.map((image) => image.captions),
    tokenizer,
    { minLength, maxLength },
  );
  const { height, width } = processor;
  const open = async () => {
    const store = await openPixelStore({
      files: images.map(({ location }) => location),
      processor,
      height,
      width,
      memoryLimit,
      workers,
      onProgress: (done, total) => printer.update(`${split}: decoded ${done} of ${total} images`),
    });
    if (!store.inMemory) {
      printer.log(`${split}: ${store.count} images do not fit --image-memory and are decoded batch by batch`);
    }
    return store;
  };
  let opened: Promise<PixelStore & { inMemory: boolean }> | undefined;
  const load = async (indices: ArrayLike<number>) => (await (opened ??= open())).load(indices);
  return { pixels: { count: images.length, height, width, load }, captions, processor };
}

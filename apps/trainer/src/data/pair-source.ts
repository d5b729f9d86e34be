/** A split of a dataset as batches need it: decoded images and tokenised captions. */
import type { ProgressPrinter } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { tokenizeCaptions, type CaptionStore } from './caption-store.js';
import { openPixelStore, type PixelProcessor, type PixelStore } from './pixel-store.js';
import type { CocoSplit } from './read-coco.js';

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

/** Tokenises all captions, and decodes all images now if they fit the memory limit. */
export async function openPairSource(
  { split, images }: CocoSplit,
  { tokenizer, processor, minLength, maxLength }: AssembledModel,
  { memoryLimit, workers, printer }: PairSourceOptions,
): Promise<PairSource> {
  const captions = tokenizeCaptions(
    images.map((image) => image.captions),
    tokenizer,
    { minLength, maxLength },
  );
  const pixels = await openPixelStore({
    files: images.map(({ file }) => file),
    processor,
    height: processor.height,
    width: processor.width,
    memoryLimit,
    workers,
    onProgress: (done, total) => printer.update(`${split}: decoded ${done} of ${total} images`),
  });
  if (!pixels.inMemory) {
    printer.log(`${split}: ${pixels.count} images do not fit --image-memory and are decoded batch by batch`);
  }
  return { pixels, captions, processor };
}

/** From a split of a dataset to what batches are made of: pixels and tokens. */
import type { CocoSplit } from '../coco/read-coco.js';
import type { AssembledModel } from '../model/assemble.js';
import type { ProgressPrinter } from '../progress.js';
import type { PairSource } from './batches.js';
import { tokenizeCaptions } from './caption-store.js';
import { openPixelStore } from './pixel-store.js';

export interface OpenPairSourceOptions {
  /** Bytes of decoded images to keep. */
  memoryLimit: number;
  /** Images decoded at a time. */
  workers: number;
  printer: ProgressPrinter;
}

export async function openPairSource(
  { split, images }: CocoSplit,
  { tokenizer, processor, maximumLength, minimumLength }: AssembledModel,
  { memoryLimit, workers, printer }: OpenPairSourceOptions,
): Promise<PairSource> {
  const captions = tokenizeCaptions(
    images.map((image) => image.captions),
    tokenizer,
    maximumLength,
    minimumLength,
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
  if (!pixels.inMemory) printer.say(`${split}: ${pixels.count} images do not fit --image-memory; decoding as they come`);
  return { pixels, captions, processor };
}

/** Embeds a split's images and captions with the program's evaluation mode. B batch, T tokens, E embedding. */
import { splitRows, type EmbeddingProgram } from '@clip-ts/clip/train';
import type { FixedRunner } from '../backend/open-backend.js';
import { filledUp, imageBatch } from '../data/batches.js';
import { prefetch } from '../data/prefetch.js';
import { batchesAhead } from '../data/images/pixel-source.js';
import { captionBatch, type CaptionStore } from '../data/caption-store.js';
import type { PairSource } from '../data/pair-source.js';

/** Cuts indices into batches of `size`. The last is filled up, so that all have one shape. */
function* fullBatches(
  indices: ArrayLike<number>,
  size: number,
): Generator<{ batch: Int32Array; used: number }> {
  const all = Int32Array.from(indices);
  for (let from = 0; from < all.length; from += size) {
    const part = all.subarray(from, from + size);
    yield { batch: filledUp(part, size), used: part.length };
  }
}

/**
 * image_embeds of all images, in order: N unit-norm arrays of E numbers.
 * @param keep whether the images will be wanted again
 */
export async function embedImages(
  runner: FixedRunner<EmbeddingProgram>,
  source: PairSource,
  batchSize: number,
  keep: boolean,
): Promise<Float32Array[]> {
  const all = Int32Array.from({ length: source.pixels.count }, (_, i) => i);
  const size = Math.min(batchSize, all.length);
  const embeds: Float32Array[] = [];
  const batches = prefetch(
    fullBatches(all, size),
    batchesAhead(source.pixels, size),
    async ({ batch, used }) => ({ pixel_values: await imageBatch(source, batch, keep), used }),
    ({ pixel_values }) => {
      source.pixels.release(pixel_values);
    },
  );
  for await (const { pixel_values, used } of batches) {
    const { image_embeds } = await runner.run.embedImages({ pixel_values });
    embeds.push(...splitRows(image_embeds, used));
  }
  return embeds;
}

/** text_embeds of the given captions of a store, in order. */
export async function embedCaptions(
  runner: FixedRunner<EmbeddingProgram>,
  store: CaptionStore,
  captions: readonly number[] | Int32Array,
  batchSize: number,
): Promise<Float32Array[]> {
  let longest = 0;
  for (const caption of captions)
    longest = Math.max(longest, store.starts[caption + 1]! - store.starts[caption]!);
  const embeds: Float32Array[] = [];
  for (const { batch, used } of fullBatches(captions, Math.min(batchSize, captions.length))) {
    const { text_embeds } = await runner.run.embedTexts(captionBatch(store, batch, { minLength: longest }));
    embeds.push(...splitRows(text_embeds, used));
  }
  return embeds;
}

/** text_embeds of all captions of a store, in order. */
export const embedAllCaptions = (
  runner: FixedRunner<EmbeddingProgram>,
  store: CaptionStore,
  batchSize: number,
): Promise<Float32Array[]> =>
  embedCaptions(
    runner,
    store,
    Int32Array.from({ length: store.count }, (_, caption) => caption),
    batchSize,
  );

/**
 * Validation within training: always the same images, not augmented, with their first captions. The loss is that of
 * contrastive batches of a fixed size, so it is comparable across stages; recall is over the whole split.
 */
import {
  concatenateRows,
  float32,
  numberOf,
  type ContrastiveProgram,
  type Runner,
} from '@clip-ts/clip/train';
import type { PairSource } from '../data/pair-source.js';
import { embedCaptions, embedImages } from './embed.js';
import { retrievalRecall, type RetrievalResult } from './retrieval.js';

export interface Validation {
  loss: number;
  /** Loss of a model that knows nothing: ln of the pairs in a batch. */
  chance: number;
  retrieval: RetrievalResult;
}

const LOSS_BATCH = 128;

/** @param batchSize images or captions that are embedded at a time */
export async function validate(
  runner: Runner<ContrastiveProgram>,
  source: PairSource,
  batchSize: number,
): Promise<Validation> {
  const images = await embedImages(runner, source, batchSize);
  const firstCaptions = source.captions.first.subarray(0, images.length);
  const texts = await embedCaptions(runner, source.captions, firstCaptions, batchSize);
  const size = Math.min(LOSS_BATCH, images.length);
  const losses: number[] = [];
  for (let from = 0; from + size <= images.length; from += size) {
    const { loss } = await runner.run.lossOfEmbeddings({
      image_embeds: rowsOf(images.slice(from, from + size)),
      text_embeds: rowsOf(texts.slice(from, from + size)),
    });
    losses.push(numberOf(loss));
  }
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    chance: Math.log(size),
    retrieval: retrievalRecall(images, texts, Int32Array.from(images.keys())),
  };
}

/** [N, E] */
const rowsOf = (embeds: readonly Float32Array[]) =>
  concatenateRows(embeds.map((row) => float32(row, [1, row.length])));

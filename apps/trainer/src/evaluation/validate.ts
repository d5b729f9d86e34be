/**
 * Validation within training: always the same images, not augmented, with their first captions. The loss is that of
 * contrastive batches of a fixed size, so it is comparable across stages; recall is over the whole split.
 */
import {
  chanceLoss,
  concatenateRows,
  float32,
  numberOf,
  type LossFunctions,
  type LossKind,
  type RunFunctions,
} from '@clip-ts/clip/train';
import { retrievalRecall, type RetrievalResult } from './retrieval.js';

export interface Validation {
  loss: number;
  /** Loss of a model that knows nothing. */
  chance: number;
  retrieval: RetrievalResult;
}

const LOSS_BATCH = 128;

/**
 * @param images image_embeds of the split, one row of length 1 for each image
 * @param texts text_embeds of the images' first captions, in the same order
 */
export async function validationOf(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  validationLoss: RunFunctions<LossFunctions>['validationLoss'],
  kind: LossKind,
): Promise<Validation> {
  const size = Math.min(LOSS_BATCH, images.length);
  const losses: number[] = [];
  for (let from = 0; from + size <= images.length; from += size) {
    const { loss } = await validationLoss({
      image_embeds: rowsOf(images.slice(from, from + size)),
      text_embeds: rowsOf(texts.slice(from, from + size)),
    });
    losses.push(numberOf(loss));
  }
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    chance: chanceLoss(kind, size),
    retrieval: await retrievalRecall(images, texts, Int32Array.from(images.keys())),
  };
}

/** [N, E] */
const rowsOf = (embeds: readonly Float32Array[]) =>
  concatenateRows(embeds.map((row) => float32(row, [1, row.length])));

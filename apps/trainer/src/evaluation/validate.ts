/**
 * Validation within training: always the same images as they are with their first captions. The loss is that of
 * contrastive batches of one fixed size, so it compares across stages; recall is over the whole split.
 */
import type { ContrastiveProgram, Runner } from '@clip-ts/clip/train';
import type { PairSource } from '../data/batches.js';
import { embedCaptions, embedImages } from './embed.js';
import { dot, retrievalRecall, type RetrievalResult } from './retrieval.js';

export interface Validation {
  loss: number;
  /** ln of the pairs that the loss tells apart. */
  chance: number;
  retrieval: RetrievalResult;
}

const LOSS_BATCH = 128;

export async function validate(
  runner: Runner<ContrastiveProgram>,
  source: PairSource,
  batchSize: number,
  logitScale: number,
): Promise<Validation> {
  const images = await embedImages(runner, source, batchSize);
  const firstCaptions = source.captions.first.subarray(0, images.length);
  const texts = await embedCaptions(runner, source.captions, firstCaptions, batchSize);
  const size = Math.min(LOSS_BATCH, images.length);
  const losses: number[] = [];
  for (let from = 0; from + size <= images.length; from += size) {
    losses.push(
      contrastiveLossOf(images.slice(from, from + size), texts.slice(from, from + size), logitScale),
    );
  }
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    chance: Math.log(size),
    retrieval: retrievalRecall(images, texts, Int32Array.from(images.keys())),
  };
}

/** Symmetric cross-entropy over exp(logit_scale) · cosine, row i of both belonging together. */
function contrastiveLossOf(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  logitScale: number,
): number {
  const count = images.length;
  const scale = Math.exp(logitScale);
  const logits = texts.map((text) => Float64Array.from(images, (image) => scale * dot(text, image)));
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const column = logits.map((row) => row[i]!);
    loss += logSumExp(logits[i]!) + logSumExp(column) - 2 * logits[i]![i]!;
  }
  return loss / (2 * count);
}

function logSumExp(values: Iterable<number>): number {
  let maximum = -Infinity;
  for (const value of values) maximum = Math.max(maximum, value);
  let sum = 0;
  for (const value of values) sum += Math.exp(value - maximum);
  return maximum + Math.log(sum);
}

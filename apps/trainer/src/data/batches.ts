/**
 * Turns image and caption indices into the tensors of a step. The next steps' are prepared while one runs.
 * B pairs a micro-batch, H × W pixels.
 */
import type { HostTensor } from '@clip-ts/clip/model';
import type { Augmentation } from '../config/training-config.js';
import { createRandom } from '../random.js';
import { captionBatch, shownCaptions } from './caption-store.js';
import { batchesAhead } from './images/pixel-source.js';
import { drawView, type View } from './images/view.js';
import type { PairSource } from './pair-source.js';
import { prefetch } from './prefetch.js';
import { batchOf, epochOrder } from './sampler.js';

/** What goes through the towers at a time. */
export interface PairBatch {
  /** [B, 3, H, W] */
  pixel_values: HostTensor;
  /** [B, T] */
  input_ids: HostTensor;
  attention_mask: HostTensor;
}

/** Key of augmentation's random stream; the sampler has others. */
const AUGMENT = 3;

/** The view of an image with a number, another for each. */
const viewOf = (seed: number, augmentation: Augmentation, view: number, image: number): View | null =>
  augmentation === 'none' ? null : drawView(createRandom(seed, AUGMENT, view, image), augmentation);

/** pixel_values of some images as they are, for validation. @param keep whether they will be wanted again */
export const imageBatch = (
  { pixels }: PairSource,
  images: ArrayLike<number>,
  keep: boolean,
): Promise<HostTensor> =>
  pixels.pixelValues(
    Array.from(images, (image) => ({ image, view: null })),
    keep,
  );

/** pixel_values of views: row `image · count + view` is the view with that number of that image. */
export const viewBatch = (
  { pixels }: PairSource,
  rows: Int32Array,
  { count, seed, augmentation }: { count: number; seed: number; augmentation: Augmentation },
): Promise<HostTensor> =>
  pixels.pixelValues(
    Array.from(rows, (row) => {
      const image = Math.floor(row / count);
      return { image, view: viewOf(seed, augmentation, row % count, image) };
    }),
    false,
  );

/** Rows up to `size`, the last one repeated: batches of one shape are compiled once. */
export const filledUp = (rows: ArrayLike<number>, size: number): Int32Array =>
  Int32Array.from({ length: size }, (_, n) => rows[Math.min(n, rows.length - 1)]!);

export interface TrainingBatches {
  seed: number;
  /** Pairs B in a micro-batch, and micro-batches in a step. */
  batchSize: number;
  microBatches: number;
  augmentation: Augmentation;
}

async function trainingBatch(
  { captions, pixels }: PairSource,
  images: Int32Array,
  epoch: number,
  { seed, augmentation }: TrainingBatches,
): Promise<PairBatch> {
  const shown = Array.from(images, (image) => ({ image, view: viewOf(seed, augmentation, epoch, image) }));
  const pixel_values = await pixels.pixelValues(shown, true);
  return { pixel_values, ...captionBatch(captions, shownCaptions(captions, images, epoch, seed)) };
}

/** The micro-batches of each step of an epoch, from `firstStep` on; each is valid until the next is asked for. */
export function epochBatches(
  source: PairSource,
  epoch: number,
  firstStep: number,
  steps: number,
  options: TrainingBatches,
): AsyncGenerator<PairBatch[]> {
  const { batchSize, microBatches, seed } = options;
  const pairs = batchSize * microBatches;
  const order = epochOrder(seed, source.pixels.count, epoch);
  const remaining = Array.from({ length: Math.max(0, steps - firstStep) }, (_, n) => firstStep + n);
  const prepare = (step: number) => {
    const images = batchOf(order, pairs, step);
    const parts = Array.from({ length: microBatches }, (_, part) => batchOf(images, batchSize, part));
    return Promise.all(parts.map((part) => trainingBatch(source, part, epoch, options)));
  };
  return prefetch(remaining, batchesAhead(source.pixels, pairs), prepare, (batches) => {
    for (const { pixel_values } of batches) source.pixels.release(pixel_values);
  });
}

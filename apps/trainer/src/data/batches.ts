/**
 * Turns image and caption indices into the tensors of a step. The next step's are prepared while one runs.
 * B pairs a micro-batch, H × W pixels.
 */
import type { HostTensor } from '@clip-ts/clip/model';
import { float32 } from '@clip-ts/clip/train';
import type { Augmentation } from '../config/training-config.js';
import { createRandom } from '../random.js';
import { augment } from './augment.js';
import { captionBatch, shownCaptions } from './caption-store.js';
import type { PairSource } from './pair-source.js';
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

/** pixel_values [B, 3, H, W] of images that are given as bytes. */
function pixelValues(images: readonly Uint8Array[], { pixels, processor }: PairSource): HostTensor {
  const { height, width } = pixels;
  const size = 3 * height * width;
  const values = new Float32Array(images.length * size);
  images.forEach((image, index) => processor.normalize(image, values, index * size));
  return float32(values, [images.length, 3, height, width]);
}

/** pixel_values of some images as they are, for validation. */
export const imageBatch = async (source: PairSource, images: ArrayLike<number>): Promise<HostTensor> =>
  pixelValues(await source.pixels.load(images), source);

/** pixel_values of augmented views: row `image · count + view` is the view with that number of that image. */
export async function viewBatch(
  source: PairSource,
  rows: Int32Array,
  { count, seed, augmentation }: { count: number; seed: number; augmentation: Exclude<Augmentation, 'none'> },
): Promise<HostTensor> {
  const images = rows.map((row) => Math.floor(row / count));
  const views = Array.from(rows, (row) => row % count);
  return pixelValues(await augmentedPixels(source, images, views, seed, augmentation), source);
}

/** @param views a number for each image; another number gives another view */
async function augmentedPixels(
  { pixels }: PairSource,
  images: Int32Array,
  views: readonly number[],
  seed: number,
  augmentation: Exclude<Augmentation, 'none'>,
): Promise<Uint8Array[]> {
  const { height, width } = pixels;
  return (await pixels.load(images)).map((bytes, n) =>
    augment(bytes, height, width, createRandom(seed, AUGMENT, views[n]!, images[n]!), augmentation),
  );
}

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
  source: PairSource,
  images: Int32Array,
  epoch: number,
  options: TrainingBatches,
): Promise<PairBatch> {
  const { captions, pixels } = source;
  const { augmentation, seed } = options;
  const shown = shownCaptions(captions, images, epoch, seed);
  const loaded =
    augmentation === 'none'
      ? await pixels.load(images)
      : await augmentedPixels(source, images, Array<number>(images.length).fill(epoch), seed, augmentation);
  return { pixel_values: pixelValues(loaded, source), ...captionBatch(captions, shown) };
}

/** The micro-batches of each step of an epoch, from `firstStep` on. */
export async function* epochBatches(
  source: PairSource,
  epoch: number,
  firstStep: number,
  steps: number,
  options: TrainingBatches,
): AsyncGenerator<PairBatch[]> {
  const { batchSize, microBatches, seed } = options;
  const order = epochOrder(seed, source.pixels.count, epoch);
  const prepare = (step: number) => {
    const images = batchOf(order, batchSize * microBatches, step);
    const parts = Array.from({ length: microBatches }, (_, part) => batchOf(images, batchSize, part));
    return Promise.all(parts.map((part) => trainingBatch(source, part, epoch, options)));
  };
  let next = firstStep < steps ? prepare(firstStep) : undefined;
  for (let step = firstStep; step < steps; step++) {
    const current = await next!;
    next = step + 1 < steps ? prepare(step + 1) : undefined;
    // An error of the next batch is thrown when it is awaited; without this it would count as unhandled until then.
    next?.catch(() => undefined);
    yield current;
  }
}

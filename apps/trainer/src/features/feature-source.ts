/**
 * The features of a split: what frozen towers give for its images and captions. Taken from the cache folder when an
 * earlier run left them there, computed now otherwise.
 * N images, V views of each, C captions, D tower width (each tower's own), T tokens.
 */
import { access, rm } from 'node:fs/promises';
import path from 'node:path';
import { ClipError } from '@clip-ts/clip';
import type { DualEncoder } from '@clip-ts/clip/model';
import { featureProgram, type HostTensors } from '@clip-ts/clip/train';
import type { Backend } from '../backend/open-backend.js';
import { filledUp, viewBatch } from '../data/batches.js';
import { captionBatch, type CaptionStore } from '../data/caption-store.js';
import { batchesAhead } from '../data/images/pixel-source.js';
import type { PairSource } from '../data/pair-source.js';
import { prefetch } from '../data/prefetch.js';
import { whileRoomLasts } from '../disk-space.js';
import { duration } from '../logging/lines.js';
import { type ProgressPrinter } from '../logging/progress.js';
import type { AssembledModel } from '../model/assembled-model.js';
import type { StopRequest } from '../stop-request.js';
import {
  openFeatureFile,
  UnfinishedFeatures,
  type FeatureFile,
  type FeatureKind,
  type FeatureShapes,
} from './feature-file.js';
import { featureKey, type FeatureViews } from './feature-key.js';

export const AS_THEY_ARE: FeatureViews = { augmentation: 'none', count: 1, seed: 0 };

export interface FeatureSource {
  /** N */
  images: number;
  views: number;
  captions: CaptionStore;
  widths: Record<FeatureKind, number>;
  /** [images, D]: of each image the view with that number. */
  imageFeatures(images: ArrayLike<number>, view: (image: number) => number): Float32Array;
  /** [captions, D] */
  textFeatures(captions: ArrayLike<number>): Float32Array;
  close(): Promise<void>;
}

export interface OpenFeaturesOptions {
  split: string;
  source: PairSource;
  fingerprint: string;
  views: FeatureViews;
  assembled: AssembledModel;
  weights: HostTensors;
  backend: Backend;
  /** Folder of the cache. */
  folder: string;
  stop: StopRequest;
  printer: ProgressPrinter;
}

/** What goes through a tower at a time. */
export const IMAGES_AT_A_TIME = 64;
export const CAPTIONS_AT_A_TIME = 256;
/** Captions come sorted, so padding to fewer tokens than in training costs few shapes. */
const FEATURE_LENGTH_STEP = 4;
/** Seconds after which a computation notes how far it is: what a kill costs. */
const NOTE_SECONDS = 10;

type FeatureLocation = Pick<
  OpenFeaturesOptions,
  'assembled' | 'weights' | 'fingerprint' | 'views' | 'folder'
>;
type KeptFeatures = FeatureLocation & Pick<OpenFeaturesOptions, 'source'>;

const shapesOf = ({ source, views, assembled: { model } }: KeptFeatures): FeatureShapes => ({
  image_features: [source.pixels.count * views.count, model.vision.outputSize],
  text_features: [source.captions.count, model.text.outputSize],
});

/** Those that an earlier computation left; undefined when there are none, or none that can be read. */
export async function openKeptFeatures(options: KeptFeatures): Promise<FeatureSource | undefined> {
  const shapes = shapesOf(options);
  const features = await openFeatureFile(fileOf(options), shapes).catch((error: unknown) => {
    if (!(error instanceof ClipError)) throw error;
    return undefined;
  });
  return features && sourceOf(features, shapes, options.source, options.views.count);
}

/** @throws StoppedError when the user asked to stop; what is computed so far is kept */
export async function openFeatures(options: OpenFeaturesOptions): Promise<FeatureSource> {
  const { source, views, printer, split } = options;
  const shapes = shapesOf(options);
  const file = fileOf(options);
  let features = await openFeatureFile(file, shapes).catch(async (error: unknown) => {
    if (!(error instanceof ClipError)) throw error;
    printer.log(`${split}: ${error.message}; the features are computed again`);
    await rm(file);
    return undefined;
  });
  if (features === undefined) {
    const kept = 'what is computed so far is kept: make room, and run the same command again';
    await whileRoomLasts(`${split} features in ${options.folder}`, kept, () =>
      compute(file, shapes, options),
    );
    features = await openFeatureFile(file, shapes);
    if (features === undefined) throw new Error(`${file} is gone right after it was written`);
  } else {
    printer.log(`${split}: features of the frozen towers from ${file}`);
  }
  return sourceOf(features, shapes, source, views.count);
}

const fileOf = ({ folder, ...inputs }: FeatureLocation): string =>
  path.join(folder, `${featureKey(inputs)}.safetensors`);

/** Whether an earlier run left them. */
export const featuresAreKept = (location: FeatureLocation): Promise<boolean> =>
  access(fileOf(location)).then(
    () => true,
    () => false,
  );

function sourceOf(
  features: FeatureFile,
  shapes: FeatureShapes,
  { pixels, captions }: PairSource,
  views: number,
): FeatureSource {
  return {
    images: pixels.count,
    views,
    captions,
    widths: { image_features: shapes.image_features[1], text_features: shapes.text_features[1] },
    imageFeatures: (images, view) =>
      features.read(
        'image_features',
        Array.from(images, (image) => image * views + view(image)),
      ),
    textFeatures: (indices) => features.read('text_features', indices),
    close: () => features.close(),
  };
}

/** Computes the file, or what an earlier computation left of it. */
async function compute(file: string, shapes: FeatureShapes, options: OpenFeaturesOptions): Promise<void> {
  const { source, views, assembled, weights, backend, stop } = options;
  const unfinished = await UnfinishedFeatures.open(file, shapes);
  const runner = backend.createFixedRunner(
    featureProgram(assembled.model),
    towerWeights(assembled.model, weights),
  );
  try {
    const done = { ...unfinished.done };
    const fill = async <Inputs>(
      kind: FeatureKind,
      order: Int32Array,
      size: number,
      { ahead, prepare, run, release }: BatchWork<Inputs>,
    ) => {
      const progress = progressOf(options, kind, order.length, done[kind]);
      const width = Math.min(size, order.length);
      const batches = prefetch(
        partsOf(order, done[kind], size),
        ahead,
        async (rows) => ({ rows, inputs: await prepare(filledUp(rows, width)) }),
        ({ inputs }) => release?.(inputs),
      );
      let noted = performance.now();
      for await (const { rows, inputs } of batches) {
        unfinished.write(kind, rows, await run(inputs));
        done[kind] += rows.length;
        progress(done[kind]);
        if (stop.requested || performance.now() - noted > NOTE_SECONDS * 1000) {
          await unfinished.note(done);
          noted = performance.now();
        }
        stop.throwIfRequested();
      }
      await unfinished.note(done);
    };
    const rows = Int32Array.from({ length: shapes.image_features[0] }, (_, row) => row);
    await fill('image_features', rows, IMAGES_AT_A_TIME, {
      ahead: batchesAhead(source.pixels, IMAGES_AT_A_TIME),
      prepare: (batch) => viewBatch(source, batch, views),
      release: (pixel_values) => {
        source.pixels.release(pixel_values);
      },
      run: async (pixel_values) =>
        (await runner.run.featuresOfImages({ pixel_values })).image_features.data as Float32Array,
    });
    const { captions } = source;
    await fill('text_features', byLength(captions), CAPTIONS_AT_A_TIME, {
      ahead: 1,
      prepare: async (batch) => captionBatch(captions, batch, { step: FEATURE_LENGTH_STEP }),
      run: async (texts) => (await runner.run.featuresOfTexts(texts)).text_features.data as Float32Array,
    });
    await unfinished.finish();
  } catch (error) {
    await unfinished.close();
    throw error;
  } finally {
    runner.dispose();
  }
}

/** The weights that features come from. */
const towerWeights = ({ towerTensors }: DualEncoder, weights: HostTensors): HostTensors =>
  Object.fromEntries(Object.entries(weights).filter(([name]) => towerTensors.has(name)));

/** How a batch of rows becomes features. */
interface BatchWork<Inputs> {
  /** Batches that are prepared ahead. */
  ahead: number;
  prepare: (rows: Int32Array) => Promise<Inputs>;
  /** Takes inputs back that are in use no longer. */
  release?: (inputs: Inputs) => void;
  /** @returns [rows, D] */
  run: (inputs: Inputs) => Promise<Float32Array>;
}

function* partsOf(order: Int32Array, from: number, size: number): Generator<Int32Array> {
  for (let start = from; start < order.length; start += size) yield order.subarray(start, start + size);
}

/** The captions from the shortest to the longest, so that few are padded and few lengths occur. */
function byLength({ count, starts }: CaptionStore): Int32Array {
  const length = (caption: number) => starts[caption + 1]! - starts[caption]!;
  return Int32Array.from({ length: count }, (_, caption) => caption).sort(
    (a, b) => length(a) - length(b) || a - b,
  );
}

function progressOf(
  { split, printer }: OpenFeaturesOptions,
  kind: FeatureKind,
  total: number,
  before: number,
) {
  const what = kind === 'image_features' ? 'images' : 'captions';
  const start = performance.now();
  return (done: number) => {
    const rate = (done - before) / ((performance.now() - start) / 1000);
    const line = `${split}: features of ${done} of ${total} ${what}  ${rate.toFixed(0)} ${what}/s  ${duration((total - done) / rate)} left`;
    printer.update(line, done === total);
  };
}

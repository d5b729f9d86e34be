/**
 * How long a stage takes before it starts: the work of its functions at the rates of this machine, measured now, and the
 * time that some of its images take to be decoded. What else the machine does at that moment counts as if it went on.
 */
import type { CostEstimate, MachineRates } from 'tfjs-onnxruntime';
import type { CaptionStore } from '../../data/caption-store.js';
import type { PairSource } from '../../data/pair-source.js';
import { CAPTIONS_AT_A_TIME, IMAGES_AT_A_TIME } from '../../features/feature-source.js';
import { featureCosts, type StageCostOptions } from './stage-cost.js';

/** What a forward pass takes of a step: a backward pass is two more. */
const FORWARD = 1 / 3;
/** A run of a compiled function takes at least this, whatever it computes. */
const RUN_SECONDS = 0.002;

export interface TimeOptions extends StageCostOptions {
  validation: PairSource;
  rates: MachineRates;
  /** What an image takes beside the model. */
  imageSeconds: number;
}

/** A stage whose steps run the towers. @param cost of the step, or of a wide step's part that takes gradients */
export function towerSeconds(options: TimeOptions, { work }: CostEstimate): number {
  const { backend, stage, plan, training, validation, rates, imageSeconds } = options;
  const { batchSize, microBatches, stepsPerEpoch, pairs } = plan;
  const ofBatch = backend.estimates.secondsOfWork(work, rates) + RUN_SECONDS;
  // A wide step runs the towers forward once more.
  const ofStep = microBatches > 1 ? microBatches * (1 + FORWARD) * ofBatch : ofBatch;
  const ofValidation = (FORWARD * ofBatch * validation.pixels.count) / batchSize;
  const { epochs, augmentation } = stage.config;
  const shown = augmentation === 'none' ? training.pixels.count : epochs * stepsPerEpoch * pairs;
  const decoded = shown + validation.pixels.count;
  return epochs * (stepsPerEpoch * ofStep + ofValidation) + decoded * imageSeconds;
}

export interface FeatureSeconds {
  /** Of all images and captions of both splits. */
  features: number;
  steps: number;
}

/** A stage that computes features once. */
export function featureSeconds(options: TimeOptions): FeatureSeconds {
  const { backend, stage, plan, training, validation, rates, imageSeconds } = options;
  const costs = featureCosts(options, meanLength(training.captions));
  const { augmentation, cached_views, epochs } = stage.config;
  const views = augmentation === 'none' ? 1 : cached_views;
  const images = training.pixels.count * views + validation.pixels.count;
  const captions = training.captions.count + validation.captions.count;
  return {
    features:
      images * (backend.estimates.secondsOfWork(costs.images.work, rates) / IMAGES_AT_A_TIME + imageSeconds) +
      (captions * backend.estimates.secondsOfWork(costs.captions.work, rates)) / CAPTIONS_AT_A_TIME,
    steps:
      epochs * plan.stepsPerEpoch * (backend.estimates.secondsOfWork(costs.step.work, rates) + RUN_SECONDS),
  };
}

const meanLength = ({ count, ids }: CaptionStore): number => Math.max(1, Math.round(ids.length / count));

/** Images to decode, and how many of them before the clock starts: threads start and code is compiled. */
const PROBED = 16;
/** Fewer images where they are large, and none where two are too many: a probe is no job of its own. */
const PROBED_PIXELS = 4e6;
const WARM_UP = 4;

/** Seconds that an image of a split takes to be read, decoded and resized, with all threads; 0 where that is not known. */
export async function measureImageSeconds({ pixels }: PairSource): Promise<number> {
  const affordable = Math.floor(PROBED_PIXELS / (pixels.height * pixels.width));
  const count = Math.min(PROBED, affordable, pixels.count);
  if (count < 2) return 0;
  const shown = Array.from({ length: count }, (_, n) => ({
    image: Math.floor((n * pixels.count) / count),
    view: null,
  }));
  const warmUp = Math.min(WARM_UP, count - 1);
  try {
    pixels.release(await pixels.pixelValues(shown.slice(0, warmUp), false));
    const started = performance.now();
    pixels.release(await pixels.pixelValues(shown.slice(warmUp), false));
    return (performance.now() - started) / 1000 / (count - warmUp);
  } catch {
    // An image that cannot be decoded: whatever needs it says so.
    return 0;
  }
}

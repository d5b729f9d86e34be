/**
 * What the best checkpoint makes of the validation split: how likely a label describes an image, and what it finds for some
 * captions. The images are embedded once for both; where their features are kept, by the heads alone.
 */
import type { LabelCalibration } from '@clip-ts/clip';
import {
  embeddingProgram,
  float32,
  splitRows,
  type EmbeddingProgram,
  type HostTensors,
} from '@clip-ts/clip/train';
import type { FixedRunner } from '../../backend/open-backend.js';
import { tokenizeCaptions } from '../../data/caption-store.js';
import type { CaptionedSplit } from '../../data/read-dataset.js';
import { labelCalibration } from '../../evaluation/calibrate-labels.js';
import { embedAllCaptions, embedImages } from '../../evaluation/embed.js';
import { samplePredictions } from '../../evaluation/sample-predictions.js';
import { AS_THEY_ARE, openKeptFeatures } from '../../features/feature-source.js';
import type { SamplePrediction } from '../../logging/report.js';
import { captionLength } from '../../model/caption-length.js';
import type { TrainingRun } from '../run/training-run.js';

/**
 * At a time: an evaluation gains nothing from the wide batches of training. It would keep the memory of the largest one through
 * the export, and a tower with windows takes gigabytes for 64 images.
 */
const IMAGES = 16;
const TEXTS = 64;

export interface Judgement {
  calibration: LabelCalibration | undefined;
  predictions: SamplePrediction[];
}

type JudgedRun = Pick<TrainingRun, 'assembled' | 'backend' | 'validation' | 'fingerprints' | 'featureFolder'>;

/** @param split that of `run.validation` */
export async function evaluateBest(
  run: JudgedRun,
  weights: HostTensors,
  { images }: CaptionedSplit,
): Promise<Judgement> {
  const { model, tokenizer } = run.assembled;
  const runner = run.backend.createFixedRunner(embeddingProgram(model), weights);
  try {
    const imageEmbeds = await validationEmbeds(run, weights, runner);
    const length = captionLength(model, tokenizer);
    const embedTexts = (texts: readonly string[]) =>
      embedAllCaptions(runner, tokenizeCaptions([texts], tokenizer, length), TEXTS);
    // Models of the sigmoid kind have learned how likely a text describes an image.
    const knows = model.config.logit_bias_init_value !== undefined;
    return {
      calibration: knows ? undefined : await labelCalibration(images, imageEmbeds, embedTexts),
      predictions: await samplePredictions(images, imageEmbeds, embedTexts),
    };
  } finally {
    runner.dispose();
  }
}

/** image_embeds of all validation images. */
async function validationEmbeds(
  { assembled, validation: source, fingerprints, featureFolder: folder }: JudgedRun,
  weights: HostTensors,
  runner: FixedRunner<EmbeddingProgram>,
): Promise<Float32Array[]> {
  const fingerprint = fingerprints.validation;
  const features = await openKeptFeatures({
    ...{ assembled, weights, fingerprint, folder, source },
    views: AS_THEY_ARE,
  });
  if (features === undefined) return embedImages(runner, source, IMAGES, false);
  try {
    const width = features.widths.image_features;
    const all = Array.from({ length: features.images }, (_, image) => image);
    const image_features = float32(
      features.imageFeatures(all, () => 0),
      [all.length, width],
    );
    return splitRows((await runner.run.projectImages({ image_features })).image_embeds);
  } finally {
    await features.close();
  }
}

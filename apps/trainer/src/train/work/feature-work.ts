/** A stage with frozen towers: their features are computed once, and each step runs the heads alone. */
import {
  float32,
  headProgram,
  initialState,
  momentNames,
  splitRows,
  type HeadProgram,
  type LossOptions,
  type HostTensors,
  type Runner,
} from '@clip-ts/clip/train';
import type { Stage } from '../../config/run-settings.js';
import { shownCaptions } from '../../data/caption-store.js';
import { batchOf, epochOrder, viewChoice } from '../../data/sampler.js';
import { validationOf } from '../../evaluation/validate.js';
import type { FeatureKind } from '../../features/feature-file.js';
import type { FeatureViews } from '../../features/feature-key.js';
import { AS_THEY_ARE, openFeatures, type FeatureSource } from '../../features/feature-source.js';
import { precisionOf, updateOptions } from '../stage/learner.js';
import { learningOf } from '../stage/learning.js';
import { withFiniteLoss } from '../step/non-finite-loss.js';
import type { StageWork, StageWorkOptions } from './stage-work.js';
import { maskSeed, stepInputs, stepResult } from '../step/train-step.js';

export async function openFeatureWork(options: StageWorkOptions): Promise<StageWork> {
  const { stage, plan, start } = options;
  const { seed } = stage.config;
  const views = trainingViews(stage);
  const training = await featuresOf('training', views, options);
  const validation = await featuresOf('validation', AS_THEY_ARE, options);
  const { runner, trainable, loss } = openHeads(options);
  const { pairs, stepsPerEpoch } = plan;
  const firstCaptions = validation.captions.first.subarray(0, validation.images);
  return {
    lossKind: loss.kind,
    async *steps(epoch, firstStep) {
      const order = epochOrder(seed, training.images, epoch);
      for (let step = firstStep; step < stepsPerEpoch; step++) {
        const images = batchOf(order, pairs, step);
        const captions = shownCaptions(training.captions, images, epoch, seed);
        const view = (image: number) => viewChoice(seed, epoch, image, training.views);
        const inputs = {
          image_features: rows(training, 'image_features', training.imageFeatures(images, view)),
          text_features: rows(training, 'text_features', training.textFeatures(captions)),
        };
        yield (options) =>
          withFiniteLoss(`the loss of step ${options.step}`, async () => {
            const outputs = await runner.run.stepOnFeatures({
              ...inputs,
              seed: maskSeed(options, 0),
              ...stepInputs(options),
            });
            return stepResult(outputs);
          });
      }
    },
    async validate() {
      const all = Int32Array.from({ length: validation.images }, (_, image) => image);
      const { image_embeds } = await runner.run.projectImages({
        image_features: rows(
          validation,
          'image_features',
          validation.imageFeatures(all, () => 0),
        ),
      });
      const { text_embeds } = await runner.run.projectTexts({
        text_features: rows(validation, 'text_features', validation.textFeatures(firstCaptions)),
      });
      return validationOf(
        splitRows(image_embeds),
        splitRows(text_embeds),
        runner.run.validationLoss,
        loss.kind,
      );
    },
    readWeights: async () => ({ ...start.weights, ...(await runner.readState(trainable)) }),
    readMoments: () => runner.readState(momentNames(trainable)),
    async close() {
      runner.dispose();
      await training.close();
      await validation.close();
    },
  };
}

/** How the images of training are shown to the towers. */
export const trainingViews = ({ config }: Stage): FeatureViews =>
  config.augmentation === 'none'
    ? AS_THEY_ARE
    : { augmentation: config.augmentation, count: config.cached_views, seed: config.seed };

/** [n, D] */
function rows({ widths }: FeatureSource, kind: FeatureKind, values: Float32Array) {
  return float32(values, [values.length / widths[kind], widths[kind]]);
}

function featuresOf(
  split: 'training' | 'validation',
  views: FeatureViews,
  { run, start }: StageWorkOptions,
): Promise<FeatureSource> {
  return openFeatures({
    split,
    source: run[split],
    fingerprint: run.fingerprints[split],
    views,
    assembled: run.assembled,
    weights: start.weights,
    backend: run.backend,
    folder: run.featureFolder,
    stop: run.stop,
    printer: run.printer,
  });
}

/** The heads and logit_scale on the backend; the towers' weights stay where they are. */
function openHeads({ run, stage, start }: StageWorkOptions): {
  runner: Runner<HeadProgram>;
  trainable: string[];
  loss: LossOptions;
} {
  const { model } = run.assembled;
  const learning = learningOf(stage, run.assembled, run.settings.model.temperature);
  const { trainable, loss } = learning;
  const program = headProgram(model, trainable, { ...updateOptions(stage.config, learning), loss });
  const heads: HostTensors = {};
  for (const [name, tensor] of Object.entries(start.weights)) {
    if (!model.towerTensors.has(name)) heads[name] = tensor;
  }
  return {
    runner: run.backend.createRunner(
      program,
      initialState(heads, trainable, false, start.moments),
      precisionOf(stage.config, run.backend),
    ),
    trainable,
    loss,
  };
}

/** What a stage's functions cost, from traces without contents. B pairs, T tokens, H × W pixels. */
import type { CostEstimate } from 'tfjs-onnxruntime';
import {
  contrastiveProgram,
  featureProgram,
  float32,
  headProgram,
  initialState,
  int32,
  intScalar,
  updateInputs,
} from '@clip-ts/clip/train';
import type { Backend } from '../../backend/open-backend.js';
import type { Stage } from '../../config/run-settings.js';
import { captionBatch, paddedToOneLength } from '../../data/caption-store.js';
import type { PairSource } from '../../data/pair-source.js';
import { CAPTIONS_AT_A_TIME, IMAGES_AT_A_TIME } from '../../features/feature-source.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import { programOptions, updateOptions } from '../stage/learner.js';
import type { Learning } from '../stage/learning.js';
import type { StagePlan } from '../stage/plan-stage.js';

/** A backend that can tell. */
type EstimatingBackend = Backend & Required<Pick<Backend, 'estimates'>>;

export interface StageCostOptions {
  backend: EstimatingBackend;
  assembled: AssembledModel;
  learning: Learning;
  stage: Stage;
  plan: StagePlan;
  training: PairSource;
}

/** Tensors of which nothing but type and shape is read. */
const floats = (...shape: number[]) => float32(new Float32Array(0), shape);
const tokens = (B: number, T: number) => int32(new Int32Array(0), [B, T]);

/** Of a step that runs the towers on captions of the greatest length; of a wide step, the part that takes gradients. */
export function stepCost({
  backend,
  assembled,
  learning,
  stage,
  plan,
  training,
}: StageCostOptions): CostEstimate {
  const { batchSize: B, microBatches } = plan;
  const { height, width } = training.pixels;
  const { model, weights } = assembled;
  const wide = microBatches > 1;
  const state = initialState(weights, learning.trainable, wide);
  const program = contrastiveProgram(model, learning.trainable, programOptions(stage.config, learning));
  const [, T] = captionBatch(paddedToOneLength(training.captions), [0]).input_ids.shape as [number, number];
  const ids = tokens(B, T);
  const pixel_values = floats(B, 3, height, width);
  const pairs = { pixel_values, input_ids: ids, attention_mask: ids, seed: intScalar(0) };
  const embeds = floats(B, model.embeddingSize);
  return wide
    ? backend.estimates.cost(program, state, 'accumulate', {
        ...pairs,
        image_grads: embeds,
        text_grads: embeds,
      })
    : backend.estimates.cost(program, state, 'step', { ...pairs, ...firstUpdate(stage) });
}

const firstUpdate = ({ config }: Stage) =>
  updateInputs(0, 0, { beta1: config.adam_beta1, beta2: config.adam_beta2 });

/** Of the features of batches of images and of captions of T tokens, and of a step of the heads on features. */
export function featureCosts(options: StageCostOptions, T: number) {
  const { backend, assembled, learning, stage, plan, training } = options;
  const { height, width } = training.pixels;
  const { model, weights } = assembled;
  const program = featureProgram(model);
  const head = headProgram(model, learning.trainable, {
    ...updateOptions(stage.config, learning),
    loss: learning.loss,
  });
  const heads = Object.fromEntries(Object.entries(weights).filter(([name]) => !model.towerTensors.has(name)));
  return {
    images: backend.estimates.cost(program, weights, 'featuresOfImages', {
      pixel_values: floats(IMAGES_AT_A_TIME, 3, height, width),
    }),
    captions: backend.estimates.cost(program, weights, 'featuresOfTexts', {
      input_ids: tokens(CAPTIONS_AT_A_TIME, T),
      attention_mask: tokens(CAPTIONS_AT_A_TIME, T),
    }),
    step: backend.estimates.cost(head, initialState(heads, learning.trainable, false), 'stepOnFeatures', {
      image_features: floats(plan.pairs, model.vision.outputSize),
      text_features: floats(plan.pairs, model.text.outputSize),
      seed: intScalar(0),
      ...firstUpdate(stage),
    }),
  };
}

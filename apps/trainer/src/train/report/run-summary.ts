/** What the model card and the terminal report about a run. */
import path from 'node:path';
import type { Backend } from '../../backend/open-backend.js';
import type { RunSummary } from '../../checkpoint/model-card.js';
import type { RunSettings } from '../../config/run-settings.js';
import type { AssembledModel } from '../../model/assembled-model.js';
import type { RunSplits } from '../run/run-data.js';

export function runSummary(
  settings: RunSettings,
  backend: Backend,
  splits: RunSplits,
  { model, specs, processor, maxLength }: AssembledModel,
): RunSummary {
  const size = (shape: readonly number[]) => shape.reduce((product, dimension) => product * dimension, 1);
  return {
    settings,
    backend: backend.name,
    datasetName: path.basename(path.resolve(settings.data)),
    trainingImages: splits.training.images.length,
    validationImages: splits.validation.images.length,
    parameters: specs.filter(({ trainable }) => trainable).reduce((sum, { shape }) => sum + size(shape), 0),
    imageSize: [processor.height, processor.width],
    maxLength,
    visionType: model.vision.modelType,
    textType: model.text.modelType,
    model: model.config,
    embeddingSize: model.embeddingSize,
  };
}

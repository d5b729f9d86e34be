/** A stage whose steps run the towers. */
import { epochBatches } from '../../data/batches.js';
import { paddedToOneLength } from '../../data/caption-store.js';
import { embedCaptions, embedImages } from '../../evaluation/embed.js';
import { validationOf } from '../../evaluation/validate.js';
import { openLearner } from '../stage/learner.js';
import { learningOf } from '../stage/learning.js';
import type { StageWork, StageWorkOptions } from './stage-work.js';
import { trainStep } from '../step/train-step.js';

export async function openTowerWork({ run, stage, plan, start }: StageWorkOptions): Promise<StageWork> {
  const { validation, settings } = run;
  const training = run.backend.sharesMemory
    ? run.training
    : { ...run.training, captions: paddedToOneLength(run.training.captions) };
  const learning = learningOf(stage, run.assembled, settings.model.temperature);
  const { runner, readWeights, readMoments } = openLearner(
    {
      backend: run.backend,
      assembled: run.assembled,
      learning,
      stage,
      wideBatch: plan.microBatches > 1,
    },
    start,
  );
  const { seed, augmentation, batch_size } = stage.config;
  const { batchSize, microBatches, stepsPerEpoch } = plan;
  return {
    lossKind: learning.loss.kind,
    async *steps(epoch, firstStep) {
      const order = { seed, batchSize, microBatches, augmentation };
      for await (const batches of epochBatches(training, epoch, firstStep, stepsPerEpoch, order))
        yield (options) => trainStep(runner, batches, options);
    },
    async validate() {
      const images = await embedImages(runner, validation, batch_size, true);
      const firstCaptions = validation.captions.first.subarray(0, images.length);
      const texts = await embedCaptions(runner, validation.captions, firstCaptions, batch_size);
      return validationOf(images, texts, runner.run.validationLoss, learning.loss.kind);
    },
    readWeights,
    readMoments,
    close: async () => runner.dispose(),
  };
}

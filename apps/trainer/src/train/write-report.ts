/** report.html of a run's folder. */
import path from 'node:path';
import { embeddingProgram } from '@clip-ts/clip/train';
import writeFileAtomic from 'write-file-atomic';
import type { Backend } from '../backend/open-backend.js';
import { bestFolder } from '../checkpoint/run-folder.js';
import type { PairSource } from '../data/pair-source.js';
import type { CaptionedSplit } from '../data/read-dataset.js';
import { samplePredictions } from '../evaluation/sample-predictions.js';
import type { MetricsLog } from '../logging/metrics-log.js';
import { reportPage, type SamplePrediction } from '../logging/report.js';
import { reopenModel } from '../model/reopen-model.js';

/** @param settings shown in a table */
export const writeReport = (
  output: string,
  settings: Record<string, unknown>,
  { records }: MetricsLog,
  predictions: readonly SamplePrediction[] = [],
): Promise<void> =>
  writeFileAtomic(
    path.join(output, 'report.html'),
    reportPage({ title: `Training run ${path.basename(output)}`, settings, records, predictions }),
  );

/** Images at a time: an evaluation gains nothing from the wide batches of training, which take gigabytes. */
const BATCH = 64;

/** What the best checkpoint finds for some validation captions. */
export async function bestPredictions(
  output: string,
  backend: Backend,
  source: PairSource,
  split: CaptionedSplit,
): Promise<SamplePrediction[]> {
  const { model, weights } = await reopenModel(bestFolder(output));
  const runner = backend.createFixedRunner(embeddingProgram(model), weights);
  try {
    return await samplePredictions(runner, source, split.images, BATCH);
  } finally {
    runner.dispose();
  }
}

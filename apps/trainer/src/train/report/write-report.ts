/** report.html of a run's folder. */
import path from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { MetricsLog } from '../../logging/metrics-log.js';
import { reportPage, type SamplePrediction } from '../../logging/report.js';

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

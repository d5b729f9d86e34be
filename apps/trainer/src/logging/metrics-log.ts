/**
 * metrics.jsonl: one JSON object on each line, appended as training proceeds. On resuming, the lines of updates that
 * will be repeated are dropped.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';

export interface StepRecord {
  kind: 'step';
  stage: number;
  epoch: number;
  /** Updates over all stages, from 1. */
  update: number;
  loss: number;
  chance: number;
  learning_rate: number;
  gradient_norm: number;
  logit_scale: number;
  images_per_second: number;
  /** Of the whole step. */
  seconds: number;
  /** Of those, how long the step waited for its data. Absent in records of earlier releases. */
  data_seconds?: number;
}

export interface ValidationRecord {
  kind: 'validation';
  stage: number;
  epoch: number;
  update: number;
  loss: number;
  chance: number;
  text_to_image_r10: number;
  image_to_text_r10: number;
  best: boolean;
}

export type MetricsRecord = StepRecord | ValidationRecord;

export interface MetricsLog {
  records: readonly MetricsRecord[];
  append(record: MetricsRecord): void;
}

function readRecords(file: string): MetricsRecord[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const records: MetricsRecord[] = [];
  for (const line of text.split('\n')) {
    if (!line) continue;
    try {
      records.push(JSON.parse(line) as MetricsRecord);
    } catch {
      // The last line may have been cut short when the process was killed.
      break;
    }
  }
  return records;
}

/** Time of all steps. */
export const trainingSeconds = ({ records }: MetricsLog): number =>
  records.reduce((sum, record) => sum + (record.kind === 'step' ? record.seconds : 0), 0);

/** Opens the log of a run that has made `updates` updates so far. */
export async function openMetricsLog(file: string, updates: number): Promise<MetricsLog> {
  const records = updates === 0 ? [] : readRecords(file).filter((record) => record.update <= updates);
  await writeFileAtomic(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  return {
    records,
    append(record) {
      records.push(record);
      appendFileSync(file, `${JSON.stringify(record)}\n`);
    },
  };
}

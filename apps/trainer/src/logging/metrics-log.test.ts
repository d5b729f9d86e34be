import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openMetricsLog, type StepRecord } from './metrics-log.js';

const record = (update: number): StepRecord => ({
  kind: 'step',
  stage: 1,
  epoch: 1,
  update,
  loss: 1,
  chance: 2,
  learning_rate: 0,
  gradient_norm: 0,
  logit_scale: 0,
  images_per_second: 1,
  seconds: 1,
});

describe('metrics log', () => {
  it('drops what is done again, and a line that a kill cut short', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'metrics-'));
    const file = path.join(folder, 'metrics.jsonl');
    const log = await openMetricsLog(file, 0);
    for (const update of [1, 2, 3]) log.append(record(update));
    await appendFile(file, '{"kind":"st');
    const resumed = await openMetricsLog(file, 2);
    resumed.append(record(3));
    expect(resumed.records.map(({ update }) => update)).toEqual([1, 2, 3]);
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as StepRecord).update)).toEqual([1, 2, 3]);
    expect((await openMetricsLog(file, 0)).records).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { goldenFolders } from '../../test/golden-folders.js';
import { describe, expect, it } from 'vitest';
import { learningRate, warmupSteps } from './schedule.js';

describe('learning rate', () => {
  it('rises linearly from 0 and falls to 0', () => {
    const schedule = { kind: 'linear' as const, peak: 1, warmupSteps: 2, totalSteps: 6 };
    expect([0, 1, 2, 3, 4, 5, 6].map((step) => learningRate(schedule, step))).toEqual([
      0, 0.5, 1, 0.75, 0.5, 0.25, 0,
    ]);
  });

  it('starts at the peak without a warm-up', () => {
    expect(learningRate({ kind: 'cosine', peak: 3, warmupSteps: 0, totalSteps: 4 }, 0)).toBe(3);
  });

  it('warms up for the given quarters of an epoch, within the run', () => {
    expect(warmupSteps(1, 40, 400)).toBe(10);
    expect(warmupSteps(2, 40, 400)).toBe(20);
    expect(warmupSteps(8, 40, 60)).toBe(60);
  });

  it.each(goldenFolders('training', ['vit-roberta', 'swin-roberta', 'vit-roberta-large-batch']))(
    'equals the reference trajectory of $name exactly',
    ({ path: folder }) => {
      const file = path.join(folder, 'trajectory.json');
      const { options, log } = JSON.parse(readFileSync(file, 'utf8')) as {
        options: { lr: number; warmup: number; steps: number; schedule: 'linear' | 'cosine' };
        log: { lr: number }[];
      };
      const schedule = {
        kind: options.schedule,
        peak: options.lr,
        warmupSteps: options.warmup,
        totalSteps: options.steps,
      };
      expect(log.map((_, step) => learningRate(schedule, step))).toEqual(log.map(({ lr }) => lr));
    },
  );
});

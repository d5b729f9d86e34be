import { float32 } from '@clip-ts/clip/train';
import { expect, it } from 'vitest';
import { stageMemory, type StageMemoryOptions } from './memory-estimate.js';

const MEGABYTE = 1e6;
const WORKING = 1000 * MEGABYTE;
const weights = { w: float32(new Float32Array(25 * MEGABYTE), [25 * MEGABYTE]) };

function estimate(trainable: string[], convolutionFlops: number, sharesMemory: boolean): number {
  const options = {
    assembled: { weights },
    learning: { trainable },
    plan: { batchSize: 10, microBatches: 1 },
    image: { height: 100, width: 100 },
    cost: {
      stateBytes: 300 * MEGABYTE,
      workingBytes: WORKING,
      work: { productFlops: 1, convolutionFlops, bytes: 1 },
    },
    sharesMemory,
  } as unknown as StageMemoryOptions;
  return stageMemory(options) / MEGABYTE;
}

it('the memory of a stage is state, arena, compiled steps, batches, and what is written or exported afterwards', () => {
  const batches = 2 * 10 * 3 * 100 * 100 * 4 * 1e-6;
  const shared = (1.35 * WORKING + 2 ** 31) / 2 / MEGABYTE;
  // The export takes four times the weights; a checkpoint of all moments would take three times.
  expect(estimate(['w'], 0, true)).toBeCloseTo(300 + shared + 3 * 80 + batches + 400);
  expect(estimate([], 1, true)).toBeCloseTo(300 + shared + 3 * 80 + batches + 400);
  expect(estimate([], 0, false)).toBeCloseTo(300 + 2200 + 80 + batches + 400);
  expect(estimate([], 1, false)).toBeCloseTo(300 + 2800 + 80 + batches + 400);
});

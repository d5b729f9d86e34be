import { float32 } from '@clip-ts/clip/train';
import { expect, it } from 'vitest';
import { stageMemory, type StageMemoryOptions } from './memory-estimate.js';

const MEGABYTE = 1e6;
const WORKING = 1000 * MEGABYTE;
const weights = { w: float32(new Float32Array(25 * MEGABYTE), [25 * MEGABYTE]) };

interface Stage {
  trainable: string[];
  convolutionFlops?: number;
  sharesMemory: boolean;
  stateBytes?: number;
}

function estimate({ trainable, convolutionFlops = 0, sharesMemory, stateBytes = 400 }: Stage): number {
  const options = {
    assembled: { weights },
    learning: { trainable },
    plan: { batchSize: 10, microBatches: 1 },
    image: { height: 100, width: 100 },
    cost: {
      stateBytes: stateBytes * MEGABYTE,
      workingBytes: WORKING,
      work: { productFlops: 1, convolutionFlops, bytes: 1 },
    },
    sharesMemory,
  } as unknown as StageMemoryOptions;
  return stageMemory(options) / MEGABYTE;
}

const BATCHES = 2 * 10 * 3 * 100 * 100 * 4 * 1e-6;

it('the memory of a stage is state, arena, compiled steps, batches, and the checkpoint of weights and moments', () => {
  const learning = { trainable: ['w'] };
  const kept = 400 + BATCHES + 300;
  expect(estimate({ ...learning, sharesMemory: true })).toBeCloseTo(kept + 1350 + 3 * 80);
  const regions = (1.35 * WORKING + 2 ** 31) / 2 / MEGABYTE;
  expect(estimate({ ...learning, sharesMemory: true, convolutionFlops: 1 })).toBeCloseTo(
    kept + regions + 3 * 80,
  );
  expect(estimate({ ...learning, sharesMemory: false })).toBeCloseTo(kept + 2200 + 80);
  expect(estimate({ ...learning, sharesMemory: false, convolutionFlops: 1 })).toBeCloseTo(kept + 2500 + 80);
});

it('where hardly anything learns, the export of all weights takes more than a checkpoint', () => {
  const frozen = { trainable: [], stateBytes: 0 };
  expect(estimate({ ...frozen, sharesMemory: true })).toBeCloseTo(500 + 1350 + 3 * 80);
  // Without a shared arena the steps have given their memory back.
  expect(estimate({ ...frozen, sharesMemory: false })).toBeCloseTo(2200 + 80 + BATCHES + 100);
});

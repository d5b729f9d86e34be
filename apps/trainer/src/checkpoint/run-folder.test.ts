import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadWeights, type TensorSpec } from '@clip-ts/clip/model';
import { float32 } from '@clip-ts/clip/train';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AssembledModel } from '../model/assembled-model.js';
import { bestFolder, lastFolder, openRunFolder, type Snapshot } from './run-folder.js';
import { freshState, readTrainingState } from './training-state.js';

const specs: TensorSpec[] = [{ name: 'w', shape: [1], init: { kind: 'zeros' }, trainable: true }];
const LONG = 1000;
let output: string;
beforeAll(async () => {
  output = await mkdtemp(path.join(tmpdir(), 'run-folder-'));
});
afterAll(() => rm(output, { recursive: true }));

const open = () =>
  openRunFolder(output, { configJson: {}, specs, assets: {} } as unknown as AssembledModel, () => '');
/** After an epoch that left its number as the only weight. */
const epoch = (number: number): Snapshot => ({
  state: { ...freshState({}), epoch: number },
  weights: { w: float32(Float32Array.of(number), [1]) },
  moments: {},
});
const onDisk = async () => [
  (await loadWeights(bestFolder(output), specs)).w!.data[0],
  (await readTrainingState(lastFolder(output)))!.epoch,
];

it('the first epoch is written at once, those that end a moment later together, the best among them and the last', async () => {
  const folder = open();
  await folder.keep(epoch(1), true, LONG);
  expect(await onDisk()).toEqual([1, 1]);
  await folder.keep(epoch(2), true, LONG);
  await folder.keep(epoch(3), false, LONG);
  expect(await onDisk()).toEqual([1, 1]);
  expect((await folder.bestWeights()).w!.data[0]).toBe(2);
  await folder.flush();
  expect(await onDisk()).toEqual([2, 3]);
  await folder.keep(epoch(4), true, 0);
  expect(await onDisk()).toEqual([4, 4]);
  // What is asked for is written with what was kept before.
  await folder.keep(epoch(5), true, LONG);
  await folder.saveLast(epoch(6));
  expect(await onDisk()).toEqual([5, 6]);
});

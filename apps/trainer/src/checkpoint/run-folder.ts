/** The checkpoints of a run's folder: `checkpoint/`, the best so far, and `last/`, which training resumes from. */
import path from 'node:path';
import { loadWeights } from '@clip-ts/clip/model';
import type { HostTensors } from '@clip-ts/clip/train';
import type { AssembledModel } from '../model/assembled-model.js';
import { readMoments, type TrainingState } from './training-state.js';
import { writeCheckpoint, type CheckpointContent } from './write-checkpoint.js';

export const bestFolder = (output: string) => path.join(output, 'checkpoint');
export const lastFolder = (output: string) => path.join(output, 'last');

/** A run at one moment. */
export interface Snapshot {
  state: TrainingState;
  weights: HostTensors;
  /** AdamW's, by their names in the program's state; missing ones are 0. */
  moments: HostTensors;
}

/** Where training stands after `assembleModel` or `reopenModel`. */
export async function firstSnapshot(
  output: string,
  state: TrainingState,
  weights: HostTensors,
): Promise<Snapshot> {
  return { state, weights, moments: await readMoments(lastFolder(output)) };
}

export interface RunFolder {
  saveBest(state: TrainingState, weights: HostTensors): Promise<void>;
  saveLast(snapshot: Snapshot): Promise<void>;
  bestWeights(): Promise<HostTensors>;
}

/** @param card README.md of a checkpoint with this state */
export function openRunFolder(
  output: string,
  assembled: AssembledModel,
  card: (state: TrainingState) => string,
): RunFolder {
  const { configJson, specs, assets } = assembled;
  const checkpointContent = (state: TrainingState, weights: HostTensors): CheckpointContent => ({
    configJson,
    specs,
    weights,
    assets,
    card: card(state),
  });
  return {
    saveBest: (state, weights) => writeCheckpoint(bestFolder(output), checkpointContent(state, weights)),
    saveLast: ({ state, weights, moments }) =>
      writeCheckpoint(lastFolder(output), {
        ...checkpointContent(state, weights),
        training: { state, moments },
      }),
    bestWeights: () => loadWeights(bestFolder(output), specs),
  };
}

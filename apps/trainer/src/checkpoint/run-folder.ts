/** The checkpoints of a run's folder: `checkpoint/`, the best so far, and `last/`, which training resumes from. */
import path from 'node:path';
import { loadWeights } from '@clip-ts/clip/model';
import type { HostTensors } from '@clip-ts/clip/train';
import { whileRoomLasts } from '../disk-space.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { readMoments, type TrainingState } from './training-state.js';
import { writeCheckpoint, type CheckpointContent } from './write-checkpoint.js';

export const bestFolder = (output: string) => path.join(output, 'checkpoint');
export const lastFolder = (output: string) => path.join(output, 'last');

/** Said when the disk is full. */
const ROOM_ADVICE =
  'the checkpoints that are there stay whole: make room, and run the same command to resume from them';

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

/**
 * Seconds between checkpoints of epochs that end sooner: heads on kept features make an epoch in less time than their
 * checkpoint, with the towers in it, takes to be written. It is what a kill costs them.
 */
const EPOCH_PAUSE_SECONDS = 15;

export interface RunFolder {
  /**
   * Takes the end of an epoch, to be written now or, when the last writing was a moment ago, with the next.
   * @param best whether it is the best so far
   * @param pauseSeconds at most this long after the last writing
   */
  keep(snapshot: Snapshot, best: boolean, pauseSeconds: number): Promise<void>;
  /** Writes a snapshot, and what was kept before. */
  saveLast(snapshot: Snapshot): Promise<void>;
  /** Writes what was kept and is not written yet. */
  flush(): Promise<void>;
  bestWeights(): Promise<HostTensors>;
}

/** @param card README.md of a checkpoint with this state */
export function openRunFolder(
  output: string,
  assembled: AssembledModel,
  card: (state: TrainingState) => string,
): RunFolder {
  const { configJson, specs, assets } = assembled;
  const contentOf = ({ state, weights }: Snapshot): CheckpointContent => ({
    configJson,
    specs,
    weights,
    assets,
    card: card(state),
  });
  const resumable = (snapshot: Snapshot): CheckpointContent => ({
    ...contentOf(snapshot),
    training: { state: snapshot.state, moments: snapshot.moments },
  });
  let [best, last]: (CheckpointContent | undefined)[] = [];
  let written = -Infinity;
  const write = (folder: string, content: CheckpointContent | undefined) =>
    content === undefined
      ? undefined
      : whileRoomLasts(folder, ROOM_ADVICE, () => writeCheckpoint(folder, content));
  const flush = async () => {
    // The best first: a run never resumes from a state whose best checkpoint is not there.
    await write(bestFolder(output), best);
    best = undefined;
    await write(lastFolder(output), last);
    last = undefined;
    written = performance.now();
  };
  return {
    async keep(snapshot, isBest, pauseSeconds) {
      if (isBest) best = contentOf(snapshot);
      last = resumable(snapshot);
      const pause = Math.min(pauseSeconds, EPOCH_PAUSE_SECONDS);
      if (performance.now() - written >= 1000 * pause) await flush();
    },
    async saveLast(snapshot) {
      last = resumable(snapshot);
      await flush();
    },
    flush,
    bestWeights: async () => best?.weights ?? loadWeights(bestFolder(output), specs),
  };
}

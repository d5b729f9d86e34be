/**
 * What a resumable checkpoint adds to a plain one, in training/: state.json (where training stands) and
 * optimizer.safetensors (AdamW's moments). Random numbers need no state: they are functions of seed and counters.
 *
 * Rules of resuming:
 * 1. `<output>/last` is written whole or not at all, at the end of each epoch (of those within seconds, with the next) and every
 *    checkpoint_seconds.
 * 2. A run with the same settings resumes from it; steps after it are repeated, with the same numbers.
 * 3. A run with other settings is refused and names the settings that differ.
 * 4. A finished run does nothing, unless --extend gives its last stage more epochs: `last` then still has its optimiser.
 */
import { access, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SafetensorsFile, writeSafetensors } from '@clip-ts/clip';
import { makeFolder, recoverFolder } from '@clip-ts/clip/files';
import { float32, INITIAL_LOSS_SCALE, type HostTensors } from '@clip-ts/clip/train';
import { z } from 'zod';
import { InputError } from '../errors.js';

const TRAINING_FOLDER = 'training';
const STATE_FILE = 'state.json';
const MOMENTS_FILE = 'optimizer.safetensors';

/** A validation, as the best epoch is chosen by it. */
const scoreSchema = z.object({
  /** Higher is better. */
  metric: z.number(),
  /** The validation loss; null in states of earlier releases, which did not keep it. */
  loss: z.number().nullable().default(null),
});
export type Score = z.infer<typeof scoreSchema>;

const stateSchema = z.object({
  version: z.literal(1),
  /** See rule 3 and resume-settings.ts. */
  settings: z.record(z.string(), z.unknown()),
  /** Index of the stage in the run. */
  stage: z.int(),
  /** Epochs of the stage that are complete, and steps of the next one. */
  epoch: z.int(),
  step: z.int(),
  /** Updates over all stages. */
  updates: z.int(),
  /** Seconds of training so far. */
  seconds: z.number(),
  /** Best validation so far, over all stages. */
  best: z.object({ ...scoreSchema.shape, stage: z.int(), epoch: z.int() }).nullable(),
  /** Epochs of this stage since its best. */
  staleEpochs: z.int(),
  /** Best validation of this stage; its metric alone in states of earlier releases. */
  stageBest: z.union([scoreSchema, z.number().transform((metric) => ({ metric, loss: null }))]).nullable(),
  /** Of the stage; float32 does not use it. States of earlier releases have none. */
  lossScale: z
    .object({ scale: z.number().positive(), steps: z.int(), skipped: z.int() })
    .default(INITIAL_LOSS_SCALE),
  finished: z.boolean(),
  /** Epochs that --extend added to the last stage, and the updates made before. */
  extensions: z.array(z.object({ stage: z.int(), from: z.int(), to: z.int(), updates: z.int() })).default([]),
});

export type TrainingState = z.infer<typeof stateSchema>;

export const freshState = (settings: Record<string, unknown>): TrainingState => ({
  version: 1,
  settings,
  stage: 0,
  epoch: 0,
  step: 0,
  updates: 0,
  seconds: 0,
  best: null,
  staleEpochs: 0,
  stageBest: null,
  lossScale: INITIAL_LOSS_SCALE,
  finished: false,
  extensions: [],
});

/** Writes training/ into a checkpoint folder that is being written. */
export async function writeTrainingState(
  folder: string,
  state: TrainingState,
  moments: HostTensors,
): Promise<void> {
  const target = path.join(folder, TRAINING_FOLDER);
  await makeFolder(target);
  const entries = Object.entries(moments).map(([name, { data, shape }]) => ({
    name,
    dtype: 'F32' as const,
    shape,
    data,
  }));
  await writeSafetensors(path.join(target, MOMENTS_FILE), entries);
  await writeFile(path.join(target, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`);
}

/** The state of `<output>/last`, or undefined when there is none. */
export async function readTrainingState(folder: string): Promise<TrainingState | undefined> {
  await recoverFolder(folder);
  const file = path.join(folder, TRAINING_FOLDER, STATE_FILE);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = stateSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new InputError(
    `${file} was not written by this version of the trainer; pass --restart to start over`,
  );
}

export async function readMoments(folder: string): Promise<HostTensors> {
  const file = path.join(folder, TRAINING_FOLDER, MOMENTS_FILE);
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (!exists) return {};
  const source = await SafetensorsFile.open(file);
  try {
    const moments: HostTensors = {};
    for (const [name, { shape }] of source.tensors) {
      moments[name] = float32(await source.readFloat32(name), [...shape]);
    }
    return moments;
  } finally {
    await source.close();
  }
}

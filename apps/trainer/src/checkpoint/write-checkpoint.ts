/**
 * Writes a checkpoint folder in the Hugging Face layout: config.json, model.safetensors, tokenizer and processor files,
 * README.md, and training/ in a resumable one. Atomic: the old folder stays until the new one is complete.
 */
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { writeFolderAtomic } from '@clip-ts/clip/files';
import { saveWeights, type TensorSpec } from '@clip-ts/clip/model';
import type { HostTensors } from '@clip-ts/clip/train';
import { writeTrainingState, type TrainingState } from './training-state.js';

export interface CheckpointContent {
  configJson: Record<string, unknown>;
  specs: readonly TensorSpec[];
  weights: HostTensors;
  /** File name → content: tokenizer and image processor. */
  assets: Readonly<Record<string, string | Uint8Array>>;
  /** README.md */
  card: string;
  training?: { state: TrainingState; moments: HostTensors };
}

export async function writeCheckpoint(folder: string, content: CheckpointContent): Promise<void> {
  await writeFolderAtomic(folder, async (temporary) => {
    const write = (name: string, content: string | Uint8Array) =>
      writeFile(path.join(temporary, name), content);
    await write('config.json', `${JSON.stringify(content.configJson, null, 2)}\n`);
    for (const [name, asset] of Object.entries(content.assets)) await write(name, asset);
    await write('README.md', content.card);
    await saveWeights(temporary, content.specs, content.weights);
    if (content.training)
      await writeTrainingState(temporary, content.training.state, content.training.moments);
  });
}

/** Changes a checkpoint atomically: `change` works on a copy, which replaces the checkpoint unless `change` throws. */
export async function addToCheckpoint(
  folder: string,
  change: (temporary: string) => Promise<void>,
): Promise<void> {
  await writeFolderAtomic(folder, async (temporary) => {
    await cp(folder, temporary, { recursive: true });
    await change(temporary);
  });
}

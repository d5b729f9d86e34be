/**
 * Adds onnx/vision_model.onnx and onnx/text_model.onnx to a checkpoint. Nothing is added unless ONNX Runtime then gives
 * the same embeddings as the trainer.
 */
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Backend } from '../backend/open-backend.js';
import { TrainingError } from '../errors.js';
import { assertCheckpoint, reopenModel } from '../model/reopen-model.js';
import { largestDifference, referenceEmbeddings } from './compare-embeddings.js';
import { onnxModels } from './onnx-models.js';
import { addToCheckpoint } from './write-checkpoint.js';

const VISION_FILE = 'onnx/vision_model.onnx';
const TEXT_FILE = 'onnx/text_model.onnx';

/** Largest difference of an embedding's number that counts as the same. */
const TOLERANCE = 1e-4;

export const isExported = (folder: string): Promise<boolean> =>
  Promise.all([VISION_FILE, TEXT_FILE].map((name) => access(path.join(folder, name)))).then(
    () => true,
    () => false,
  );

/**
 * @param backend computes the embeddings to compare with
 * @param finish what else is done with the exported folder before it replaces the checkpoint
 * @returns the largest absolute difference of an embedding's number
 * @throws InputError when the folder is no checkpoint, TrainingError when the embeddings differ by more than 1e-4
 */
export async function exportCheckpoint(
  folder: string,
  backend: Backend,
  finish?: (temporary: string) => Promise<void>,
): Promise<{ difference: number }> {
  await assertCheckpoint(folder);
  const assembled = await reopenModel(folder);
  const reference = await referenceEmbeddings(assembled, backend);
  const models = await onnxModels(assembled);
  let difference = Infinity;
  await addToCheckpoint(folder, async (temporary) => {
    await mkdir(path.join(temporary, 'onnx'), { recursive: true });
    await writeFile(path.join(temporary, VISION_FILE), models.vision);
    await writeFile(path.join(temporary, TEXT_FILE), models.text);
    difference = await largestDifference(temporary, reference);
    if (difference > TOLERANCE)
      throw new TrainingError(
        `the exported ONNX models give other embeddings than the trainer: ${difference} apart, at most ${TOLERANCE} ` +
          'allowed; the checkpoint stays as it was',
      );
    await finish?.(temporary);
  });
  return { difference };
}

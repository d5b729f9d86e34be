/**
 * Adds onnx/vision_model.onnx, onnx/text_model.onnx and onnx/model.onnx, which joins them, to a checkpoint. Nothing is added unless ONNX Runtime then gives
 * the same embeddings as the trainer.
 */
import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '@clip-ts/clip/files';
import type { Backend } from '../backend/open-backend.js';
import { TrainingError } from '../errors.js';
import { assertCheckpoint, reopenModel } from '../model/reopen-model.js';
import { largestDifference, referenceEmbeddings } from './compare-embeddings.js';
import { ONNX_FILES, onnxModels } from './onnx-models.js';
import { addToCheckpoint } from './write-checkpoint.js';

/** Largest difference of an embedding's number that counts as the same. */
const TOLERANCE = 1e-4;

export const isExported = (folder: string): Promise<boolean> =>
  Promise.all(
    [ONNX_FILES.vision, ONNX_FILES.text].map((name) => access(path.join(folder, 'onnx', name))),
  ).then(
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
    await makeFolder(path.join(temporary, 'onnx'));
    for (const part of ['vision', 'text', 'joint'] as const)
      await writeFile(path.join(temporary, 'onnx', ONNX_FILES[part]), models[part]);
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

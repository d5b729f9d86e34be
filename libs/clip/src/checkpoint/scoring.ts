/**
 * How a model turns a cosine into a logit: logit_scale · cosine + logit_bias. The two are learned, so they come
 * from the weights where there are any.
 */
import { join } from 'node:path';
import { ClipError, isSystemError } from '../errors.js';
import { SafetensorsFile } from '../safetensors/index.js';
import type { CheckpointConfig } from './checkpoint-config.js';
import { configScoring, type Scoring } from './config-scoring.js';
import { WEIGHTS_FILE } from './files.js';

/**
 * Reads logit_scale and logit_bias: from model.safetensors, else from config.json, else published values
 * (only for the plain `clip` and `siglip` folders of transformers.js, whose weights are in ONNX models alone).
 * @throws ClipError CHECKPOINT_INVALID when neither is possible
 */
export async function readScoring(folder: string, config: CheckpointConfig): Promise<Scoring> {
  const weights = await readFromWeights(folder);
  if (weights !== undefined) return weights;
  const scoring = configScoring(config);
  if (scoring !== undefined) return scoring;
  throw new ClipError(
    'CHECKPOINT_INVALID',
    `${folder} has no value for the logit_scale that its model learned`,
    {
      expected: `${WEIGHTS_FILE} with the tensor logit_scale`,
      hint: `Copy ${WEIGHTS_FILE} into the folder, or add "logit_scale" to config.json`,
    },
  );
}

async function readFromWeights(folder: string): Promise<Scoring | undefined> {
  let file: SafetensorsFile;
  try {
    file = await SafetensorsFile.open(join(folder, WEIGHTS_FILE));
  } catch (error) {
    if (error instanceof ClipError && isSystemError(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const logarithm = await readScalar(file, 'logit_scale');
    if (logarithm === undefined) return undefined;
    const logitBias = await readScalar(file, 'logit_bias');
    return { logitScale: Math.exp(logarithm), logitBias, source: 'weights' };
  } finally {
    await file.close();
  }
}

async function readScalar(file: SafetensorsFile, name: string): Promise<number | undefined> {
  const info = file.tensors.get(name);
  if (info === undefined) return undefined;
  const values = info.shape.every((size) => size === 1)
    ? await file.readFloat32(name)
    : new Float32Array([NaN]);
  const value = values[0]!;
  if (Number.isFinite(value)) return value;
  throw new ClipError('CHECKPOINT_INVALID', `${file.path}: ${name} is not one finite number`, {
    found: `${info.dtype} [${info.shape.join(', ')}]`,
  });
}

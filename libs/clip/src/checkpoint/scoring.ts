/**
 * How a model turns a cosine into a logit: logit_scale · cosine + logit_bias. The two are learned, so they come
 * from the weights where there are any.
 */
import { join } from 'node:path';
import { ClipError, isSystemError } from '../errors.js';
import { SafetensorsFile } from '../safetensors/index.js';
import type { CheckpointConfig } from './checkpoint-config.js';
import { WEIGHTS_FILE } from './files.js';

export interface Scoring {
  /** Factor on the cosine; exp is applied already. */
  logitScale: number;
  /** Only in models trained with the sigmoid loss (SigLIP): scores are then sigmoids, else a softmax over labels. */
  logitBias?: number;
  /** Where the values come from; `published` when the folder has none: those of the published models are assumed. */
  source: 'weights' | 'config' | 'published';
}

/**
 * exp(logit_scale) of every CLIP model that OpenAI published (training clips it there), and the values of
 * google/siglip-base-patch16-224. A wrong scale leaves every ranking as it is; it makes softmax scores
 * sharper or flatter, and shifts sigmoid scores.
 */
const PUBLISHED = {
  clip: { logitScale: 100 },
  siglip: { logitScale: 117.33, logitBias: -12.93 },
} as const;

/**
 * Reads logit_scale and logit_bias: from model.safetensors, else from config.json, else published values
 * (only for the plain `clip` and `siglip` folders of transformers.js, whose weights are in ONNX models alone).
 * @throws ClipError CHECKPOINT_INVALID when neither is possible
 */
export async function readScoring(folder: string, config: CheckpointConfig): Promise<Scoring> {
  const weights = await readFromWeights(folder);
  if (weights !== undefined) return weights;
  if (config.logit_scale !== undefined) {
    return { logitScale: Math.exp(config.logit_scale), logitBias: config.logit_bias, source: 'config' };
  }
  if (config.model_type !== 'vision-text-dual-encoder')
    return { ...PUBLISHED[config.model_type], source: 'published' };
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

/** Opens a checkpoint folder for use, after checking that every file it needs is there and valid. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ClipError, isSystemError } from '../errors.js';
import { parseCheckpointConfig, type CheckpointConfig } from './checkpoint-config.js';
import {
  checkpointNames,
  choosePrecision,
  CONFIG_FILE,
  externalData,
  onnxFiles,
  processorFile,
  SPECIAL_TOKENS_FILE,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  type PrecisionChoice,
} from './files.js';
import type { Scoring } from './config-scoring.js';
import { readScoring } from './scoring.js';

/** A folder whose ONNX models can be run. Paths are absolute or relative as the folder was given. */
export interface Checkpoint {
  folder: string;
  config: CheckpointConfig;
  scoring: Scoring;
  /** The ONNX models. */
  visionModel: string;
  textModel: string;
  /**
   * SHA-256 over all files that embeddings depend on: the ONNX models with their external data, tokenizer and preprocessor.
   * Embeddings of two models with different hashes are not comparable.
   */
  modelHash: string;
}

export interface OpenCheckpointOptions {
  /** Which of the stored ONNX models to use. Default: the most precise one present. */
  precision?: PrecisionChoice;
}

/**
 * Opens a folder in the layout of this project, or of transformers.js for CLIP and SigLIP.
 * @throws ClipError CHECKPOINT_NOT_FOUND naming every file that is missing; CONFIG_INVALID, MODEL_UNSUPPORTED,
 *   CHECKPOINT_INVALID
 */
export async function openCheckpoint(
  folder: string,
  { precision = 'auto' }: OpenCheckpointOptions = {},
): Promise<Checkpoint> {
  const names = await checkpointNames(folder).catch((): string[] => []);
  const onnx = onnxFiles(choosePrecision(names, precision));
  const processor = processorFile(names);
  await requireFiles(folder, [CONFIG_FILE, TOKENIZER_FILE, processor, onnx.vision, onnx.text]);
  const config = parseCheckpointConfig(await readJson(join(folder, CONFIG_FILE)), join(folder, CONFIG_FILE));
  const hashed = [
    onnx.vision,
    onnx.text,
    TOKENIZER_FILE,
    TOKENIZER_CONFIG_FILE,
    SPECIAL_TOKENS_FILE,
    processor,
    ...externalData(onnx.vision),
    ...externalData(onnx.text),
  ];
  return {
    folder,
    config,
    scoring: await readScoring(folder, config),
    visionModel: join(folder, onnx.vision),
    textModel: join(folder, onnx.text),
    modelHash: await hashFiles(folder, hashed),
  };
}

async function requireFiles(folder: string, names: readonly string[]): Promise<void> {
  const status = await stat(folder).catch(() => undefined);
  if (!status?.isDirectory()) {
    throw new ClipError('CHECKPOINT_NOT_FOUND', `there is no checkpoint folder ${folder}`, {
      found: status === undefined ? 'nothing' : 'a file',
    });
  }
  const present = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (entry) => entry.isFile(),
        () => false,
      ),
    ),
  );
  const missing = names.filter((_, i) => !present[i]);
  if (missing.length === 0) return;
  const here = await readdir(folder);
  const onnx = await readdir(join(folder, 'onnx')).catch((): string[] => []);
  const found = [...here.filter((name) => name !== 'onnx'), ...onnx.map((name) => `onnx/${name}`)];
  throw new ClipError('CHECKPOINT_NOT_FOUND', `the checkpoint ${folder} lacks ${missing.join(', ')}`, {
    found: found.length === 0 ? 'an empty folder' : found.sort().join(', '),
    hint: missing.some((name) => name.endsWith('.onnx'))
      ? 'Write the ONNX models with the export command of the trainer, or choose a precision that is there'
      : undefined,
  });
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new ClipError('CONFIG_INVALID', `${path} is not valid JSON`, { cause });
  }
}

/** SHA-256 over names and contents; an absent file changes the hash too. */
async function hashFiles(folder: string, names: readonly string[]): Promise<string> {
  const total = createHash('sha256');
  for (const name of names) {
    const hash = createHash('sha256');
    try {
      await pipeline(createReadStream(join(folder, name), { highWaterMark: 1 << 20 }), hash);
      total.update(`${name} ${hash.digest('hex')}\n`);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
  }
  return total.digest('hex');
}

/**
 * The tensors of a checkpoint folder: model.safetensors, or the shards that model.safetensors.index.json names.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { WEIGHTS_FILE, WEIGHTS_INDEX_FILE } from '../../checkpoint/index.js';
import { ClipError } from '../../errors.js';
import { SafetensorsFile, type TensorInfo } from '../../safetensors/index.js';

const PICKLE_FILES = ['pytorch_model.bin', 'pytorch_model.bin.index.json'];

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+$/)) });

/** Open files of weights; close it when done. */
export interface TensorSource {
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** As float32, whatever the stored type. */
  readFloat32(name: string): Promise<Float32Array>;
  /** As stored. */
  readBytes(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a folder's weights.
 * @throws ClipError CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID, HUB_PICKLE_ONLY, SAFETENSORS_INVALID
 */
export async function openTensorSource(folder: string): Promise<TensorSource> {
  const names = existsSync(join(folder, WEIGHTS_FILE)) ? [WEIGHTS_FILE] : await shardNames(folder);
  const files: SafetensorsFile[] = [];
  const homes = new Map<string, SafetensorsFile>();
  const tensors = new Map<string, TensorInfo>();
  const close = async () => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    for (const name of names) {
      const file = await SafetensorsFile.open(join(folder, name));
      files.push(file);
      for (const [tensor, info] of file.tensors) {
        homes.set(tensor, file);
        tensors.set(tensor, info);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  const home = (name: string) => {
    const file = homes.get(name);
    if (file === undefined)
      throw new ClipError('SAFETENSORS_TENSOR_NOT_FOUND', `${folder} has no tensor ${name}`);
    return file;
  };
  return {
    folder,
    tensors,
    readFloat32: (name) => home(name).readFloat32(name),
    readBytes: (name) => home(name).readBytes(name),
    close,
  };
}

async function shardNames(folder: string): Promise<string[]> {
  const path = join(folder, WEIGHTS_INDEX_FILE);
  if (!existsSync(path)) throw noWeights(folder);
  let index: unknown;
  try {
    index = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new ClipError('CHECKPOINT_INVALID', `${path} is not JSON`, { cause });
  }
  const parsed = indexSchema.safeParse(index);
  if (!parsed.success) {
    throw new ClipError('CHECKPOINT_INVALID', `${path} does not list its shards`, {
      expected: 'an object weight_map from tensor names to file names in the folder',
    });
  }
  return [...new Set(Object.values(parsed.data.weight_map))].sort();
}

function noWeights(folder: string): ClipError {
  const pickle = PICKLE_FILES.find((name) => existsSync(join(folder, name)));
  if (pickle === undefined) {
    return new ClipError('CHECKPOINT_NOT_FOUND', `${folder} has no weights`, {
      expected: `${WEIGHTS_FILE} or ${WEIGHTS_INDEX_FILE}`,
    });
  }
  return new ClipError('HUB_PICKLE_ONLY', `${folder} has its weights as ${pickle} only`, {
    expected: WEIGHTS_FILE,
    hint:
      'A pickle can run code when opened. Convert it once where you trust it: ' +
      `python -c "from transformers import AutoModel; AutoModel.from_pretrained('${folder}').save_pretrained('${folder}', safe_serialization=True)"`,
  });
}

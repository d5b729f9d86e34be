/**
 * From a checkpoint folder to a tower or a dual encoder with its weights.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CONFIG_FILE } from '../checkpoint/index.js';
import { ClipError, isSystemError } from '../errors.js';
import { createDualEncoder, dualEncoderSpecs, type DualEncoder } from './dual-encoder.js';
import { createTextTower, createVisionTower } from './registry.js';
import type { Tower } from './tower.js';
import type { HostTensor } from './types.js';
import { loadWeights, type LoadOptions } from './weights/load-weights.js';

type Loading = Pick<LoadOptions, 'seed' | 'onWarning'>;

/** What CLIP and SigLIP models have beside one of their towers. */
const OTHER_TENSORS = {
  vision: /^(text_model\.|text_projection\.|visual_projection\.|logit_scale$|logit_bias$)/,
  text: /^(vision_model\.|text_projection\.|visual_projection\.|logit_scale$|logit_bias$)/,
};

/** @throws ClipError CHECKPOINT_NOT_FOUND, CHECKPOINT_INVALID */
export async function readConfig(folder: string): Promise<Record<string, unknown>> {
  const path = join(folder, CONFIG_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (!isSystemError(cause, 'ENOENT')) throw cause;
    throw new ClipError('CHECKPOINT_NOT_FOUND', `${folder} has no config.json`, { cause });
  }
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new ClipError('CHECKPOINT_INVALID', `${path} is not JSON`, { cause });
  }
}

/**
 * The config of one tower of a folder: its own file, or its part of a two-tower model's
 * with the `model_type` that the tower has alone.
 */
async function readTowerConfig(folder: string, side: 'vision' | 'text'): Promise<Record<string, unknown>> {
  const config = await readConfig(folder);
  const part = config[`${side}_config_dict`] ?? config[`${side}_config`];
  if (typeof part !== 'object' || part === null) return config;
  const isUntyped = config.model_type === 'clip' || config.model_type === 'siglip';
  return isUntyped ? { ...part, model_type: `${config.model_type}_${side}_model` } : { ...part };
}

export interface LoadedTower<T> {
  readonly tower: T;
  /** As written in config.json, for the config of a dual encoder made of it. */
  readonly config: Record<string, unknown>;
  /** By the tower's own names. */
  readonly tensors: Record<string, HostTensor>;
}

/** Loads the image tower of a folder: a bare tower, a task model, or a two-tower model. */
export async function loadVisionTower(folder: string, options: Loading = {}) {
  return loadTower(folder, 'vision', createVisionTower, options);
}

/** Loads the text tower of a folder: a bare tower, a task model, or a two-tower model. */
export async function loadTextTower(folder: string, options: Loading = {}) {
  return loadTower(folder, 'text', createTextTower, options);
}

async function loadTower<Inputs>(
  folder: string,
  side: 'vision' | 'text',
  create: (json: unknown) => Tower<Inputs>,
  options: Loading,
): Promise<LoadedTower<Tower<Inputs>>> {
  const config = await readTowerConfig(folder, side);
  const tower = create(config);
  const tensors = await loadWeights(folder, tower.specs, {
    prefixes: towerPrefixes(tower, side),
    isDroppable: (name) => OTHER_TENSORS[side].test(name) || tower.droppable.includes(name),
    ...options,
  });
  return { tower, config, tensors };
}

/** What a file may have before a tower's names. */
export function towerPrefixes(
  tower: Pick<Tower<never>, 'baseModelPrefix'>,
  side: 'vision' | 'text',
): string[] {
  return [`${tower.baseModelPrefix}.`, `${side}_model.`];
}

/** Loads a dual encoder: a checkpoint of this project, transformers' VisionTextDualEncoder, CLIP or SigLIP. */
export async function loadDualEncoder(
  folder: string,
  options: Loading = {},
): Promise<{ model: DualEncoder; tensors: Record<string, HostTensor> }> {
  const model = createDualEncoder(await readConfig(folder));
  const tensors = await loadWeights(folder, dualEncoderSpecs(model), options);
  return { model, tensors };
}

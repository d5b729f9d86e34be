/**
 * The two towers of a new model: each from a hub id or folder with its pretrained weights, tokenizer and image
 * processor, or from an inline config with random weights.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { resolveModelFolder } from '@clip-ts/clip';
import { loadTextTower, loadVisionTower } from '@clip-ts/clip/model';
import type { HostTensors } from '@clip-ts/clip/train';
import type { ModelConfig } from '../config/model-config.js';
import { InputError } from '../errors.js';
import { defaultProcessor, PROCESSOR_FILE, withChanges } from './image-processor.js';
import { scratchTokenizer, TOKENIZER_FILES } from './tokenizer.js';

/** Files of a checkpoint beside config and weights: file name → content. */
export type Assets = Record<string, string | Uint8Array>;

/** A tower's part of config.json, its weights unless they are random, and the files it brings along. */
export interface TowerParts {
  config: Record<string, unknown>;
  /** By the tower's own names; undefined: random. */
  weights?: HostTensors;
  /** File name → content. */
  assets: Assets;
}

export interface TowerOptions {
  config: ModelConfig;
  /** The captions of the training split: a vocabulary and the length of captions are made from them. */
  corpus: readonly string[];
  /** Of weights that a pretrained tower lacks. */
  seed: number;
  log: (line: string) => void;
}

const DOWNLOAD_REPORT_MS = 5000;

export async function visionParts({ config, seed, log }: TowerOptions): Promise<TowerParts> {
  const { vision_backbone: backbone, image_processor: changes = {} } = config;
  if (typeof backbone !== 'string') {
    const processor = withChanges(defaultProcessor(backbone), changes);
    return { config: backbone, assets: { [PROCESSOR_FILE]: processor } };
  }
  const folder = await pretrainedFolder(backbone, log);
  const { config: towerConfig, tensors } = await loadVisionTower(folder, { seed, onWarning: log });
  const { [PROCESSOR_FILE]: own } = await readAssets(folder, [PROCESSOR_FILE]);
  if (!own) throw new InputError(`vision_backbone ${backbone} has no ${PROCESSOR_FILE}`);
  const assets = { [PROCESSOR_FILE]: withChanges(own, changes) };
  log(`vision_backbone ${backbone}: pretrained weights`);
  return { config: towerConfig, weights: tensors, assets };
}

export async function textParts({ config, corpus, seed, log }: TowerOptions): Promise<TowerParts> {
  const { text_backbone: backbone } = config;
  if (typeof backbone === 'string') {
    const folder = await pretrainedFolder(backbone, log);
    const { config: towerConfig, tensors } = await loadTextTower(folder, { seed, onWarning: log });
    log(`text_backbone ${backbone}: pretrained weights`);
    return { config: towerConfig, weights: tensors, assets: await readAssets(folder, TOKENIZER_FILES) };
  }
  if (backbone.model_type === 'clip_text_model' && config.text_pooling === 'pooler') {
    throw new InputError(
      'a clip_text_model from scratch pools at the token with the highest id, which in a word-level vocabulary is ' +
        'the rarest word; set "text_pooling" to "mean"',
    );
  }
  const tokenizer = scratchTokenizer(corpus, config.max_length_corpus, backbone.model_type);
  log(`tokenizer: ${tokenizer.words} words of the corpus, up to ${tokenizer.maxLength} tokens a caption`);
  return { config: { ...tokenizer.towerConfig, ...backbone }, assets: tokenizer.files };
}

/** The folder of a pretrained tower; reports the progress of a download every few seconds. */
export async function pretrainedFolder(backbone: string, log: (line: string) => void): Promise<string> {
  let next = Date.now() + DOWNLOAD_REPORT_MS;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  return resolveModelFolder(backbone, {
    files: 'weights',
    onProgress: ({ file, receivedBytes, totalBytes }) => {
      if (Date.now() < next) return;
      next = Date.now() + DOWNLOAD_REPORT_MS;
      log(`${backbone}: ${megabytes(receivedBytes)} of ${megabytes(totalBytes)} MB (${file})`);
    },
  });
}

/** Of the named files, those that a folder has. */
export async function readAssets(folder: string, names: readonly string[]): Promise<Assets> {
  const assets: Assets = {};
  for (const name of names) {
    const content = await readFile(path.join(folder, name)).catch(() => undefined);
    if (content !== undefined) assets[name] = content;
  }
  return assets;
}

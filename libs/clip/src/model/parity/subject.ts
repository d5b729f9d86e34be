/**
 * What a golden folder tests: a tower, a task model around one, or a two-tower model, each as
 * a function from weights and inputs to the named outputs that the golden file holds.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  createDualEncoder,
  dualEncoderSpecs,
  encodeImages,
  encodeTexts,
  logitsPerImage,
} from '../dual-encoder.js';
import { readConfig, towerPrefixes } from '../load.js';
import { createTextTower, createVisionTower, supportedModelTypes } from '../registry.js';
import type { ForwardContext, HostTensor, TensorSpec, Tower, Weights } from '../types.js';
import { loadWeights } from '../weights/load.js';
import { scoped } from '../weights/params.js';
import { taskHead } from './heads.js';

type Inputs = Readonly<Record<string, tf.Tensor>>;

export interface Subject {
  readonly specs: readonly TensorSpec[];
  /** By the names of the folder's file. */
  readonly tensors: Record<string, HostTensor>;
  forward(weights: Weights, inputs: Inputs, ctx: ForwardContext): Record<string, tf.Tensor>;
}

/** Reads a folder's config and weights. */
export async function readSubject(folder: string): Promise<Subject> {
  const config = await readConfig(folder);
  if ('vision_config' in config && 'text_config' in config) return dualSubject(folder, config);
  const { vision } = supportedModelTypes();
  return vision.includes(String(config.model_type))
    ? towerSubject(folder, 'vision', config, createVisionTower(config))
    : towerSubject(folder, 'text', config, createTextTower(config));
}

async function dualSubject(folder: string, config: Record<string, unknown>): Promise<Subject> {
  const model = createDualEncoder(config);
  const specs = dualEncoderSpecs(model);
  return {
    specs,
    tensors: await loadWeights(folder, specs),
    forward: (weights, inputs, ctx) => {
      const image_embeds = encodeImages(model, weights, inputs.pixel_values!, ctx);
      const text_embeds = encodeTexts(model, weights, inputs.input_ids!, inputs.attention_mask, ctx);
      const logits_per_image = logitsPerImage(weights, image_embeds, text_embeds);
      const logits_per_text = tf.transpose(logits_per_image);
      return { image_embeds, text_embeds, logits_per_image, logits_per_text };
    },
  };
}

async function towerSubject<TowerInputs>(
  folder: string,
  side: 'vision' | 'text',
  config: Record<string, unknown>,
  tower: Tower<TowerInputs>,
): Promise<Subject> {
  const head = taskHead(config, tower.outputSize, `${tower.baseModelPrefix}.`);
  const prefix = head?.prefix ?? '';
  const towerSpecs = tower.specs.map((spec) => ({ ...spec, name: prefix + spec.name }));
  const specs = [...towerSpecs, ...(head?.specs ?? [])];
  const tensors = await loadWeights(folder, specs, {
    prefixes: head === undefined ? towerPrefixes(tower, side) : [],
    optional:
      tower.optional === undefined
        ? undefined
        : new RegExp(`^${prefix}${tower.optional.source.replace(/^\^/, '')}`),
    droppable: tower.droppable,
  });
  return {
    specs,
    tensors,
    forward: (weights, inputs, ctx) => {
      const output = tower.forward(scoped(weights, prefix), inputs as TowerInputs, ctx);
      return head === undefined ? { ...output } : { ...output, [head.output]: head.forward(weights, output) };
    },
  };
}

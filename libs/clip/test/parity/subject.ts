/**
 * What a golden folder tests: a tower, a task model around one, or a two-tower model, each as
 * a function from weights and inputs to the named outputs that the golden file holds.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { ForwardContext } from '../../src/model/context.js';
import { createDualEncoder } from '../../src/model/dual-encoder.js';
import { layer, named, type Layer } from '../../src/model/layers/index.js';
import { readConfig, towerPrefixes } from '../../src/model/load-model.js';
import { createTextTower, createVisionTower } from '../../src/model/registry.js';
import type { TextInputs, Tower, VisionInputs } from '../../src/model/tower.js';
import type { HostTensor, TensorSpec, Weights } from '../../src/model/types.js';
import { loadWeights } from '../../src/model/weights/load-weights.js';
import { VISION_TYPES } from '../model-types.js';
import { taskHead } from './heads.js';

type Inputs = Readonly<Record<string, tf.Tensor>>;
type Outputs = Record<string, tf.Tensor>;

export interface Subject {
  readonly specs: readonly TensorSpec[];
  /** By the names of the folder's file. */
  readonly tensors: Record<string, HostTensor>;
  forward(weights: Weights, inputs: Inputs, ctx: ForwardContext): Outputs;
}

/** Reads a folder's config and weights. */
export async function readSubject(folder: string): Promise<Subject> {
  const config = await readConfig(folder);
  if ('vision_config' in config && 'text_config' in config) return dualSubject(folder, config);
  return VISION_TYPES.includes(String(config.model_type))
    ? towerSubject(folder, 'vision', config, createVisionTower(config))
    : towerSubject(folder, 'text', config, createTextTower(config));
}

async function dualSubject(folder: string, config: Record<string, unknown>): Promise<Subject> {
  const model = createDualEncoder(config);
  const specs = model.layer.specs('');
  return {
    specs,
    tensors: await loadWeights(folder, specs),
    forward: (weights, inputs, ctx) => {
      const bound = model.layer.bind(weights, '');
      const { pixel_values, input_ids, attention_mask } = inputs as unknown as VisionInputs & TextInputs;
      const image_embeds = bound.encodeImages({ pixel_values }, ctx);
      const text_embeds = bound.encodeTexts({ input_ids, attention_mask }, ctx);
      const logits_per_image = bound.logitsPerImage(image_embeds, text_embeds);
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
  const head = taskHead(config, tower.outputSize, tower.baseModelPrefix);
  const model: Layer<(inputs: TowerInputs, ctx: ForwardContext) => Outputs> = layer(
    {
      tower: named(head?.towerKey ?? '', tower.layer),
      head: head === undefined ? undefined : named('', head.layer),
    },
    (bound) => (inputs, ctx) => {
      const output = bound.tower(inputs, ctx);
      return head === undefined ? { ...output } : { ...output, [head.output]: bound.head!(output) };
    },
  );
  const specs = model.specs('');
  const tensors = await loadWeights(folder, specs, {
    prefixes: head === undefined ? towerPrefixes(tower, side) : [],
    isDroppable: (name) => tower.droppable.some((key) => name === key || name.endsWith(`.${key}`)),
  });
  return {
    specs,
    tensors,
    forward: (weights, inputs, ctx) => model.bind(weights, '')(inputs as TowerInputs, ctx),
  };
}

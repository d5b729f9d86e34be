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
import { gelu } from '../ops/index.js';
import { createTextTower, createVisionTower, supportedModelTypes } from '../registry.js';
import type { ForwardContext, HostTensor, TensorSpec, Tower, Weights } from '../types.js';
import { loadWeights } from '../weights/load.js';
import {
  layerNormLayer,
  layerNormSpecs,
  linearLayer,
  linearSpecs,
  param,
  paramSpec,
  scoped,
} from '../weights/params.js';

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
      return { image_embeds, text_embeds, logits_per_image };
    },
  };
}

async function towerSubject<TowerInputs>(
  folder: string,
  side: 'vision' | 'text',
  config: Record<string, unknown>,
  tower: Tower<TowerInputs>,
): Promise<Subject> {
  const architecture = Array.isArray(config.architectures) ? String(config.architectures[0]) : '';
  const head = taskHead(architecture, config, tower.outputSize);
  const prefix = head === undefined ? '' : `${tower.baseModelPrefix}.`;
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
      const logits = head?.forward(weights, output.last_hidden_state, output.pooler_output);
      return { ...output, ...(logits === undefined ? {} : { logits }) };
    },
  };
}

interface Head {
  readonly specs: TensorSpec[];
  forward(weights: Weights, hidden: tf.Tensor, pooled: tf.Tensor | undefined): tf.Tensor;
}

/** The heads of the task checkpoints that the golden data holds: what their logits are made of. */
function taskHead(architecture: string, config: Record<string, unknown>, width: number): Head | undefined {
  const init = { kind: 'zeros' } as const;
  if (architecture.endsWith('ForMaskedLM') && config.model_type === 'roberta') {
    const vocabulary = Number(config.vocab_size);
    return {
      specs: [
        ...linearSpecs('lm_head.dense', width, width, init),
        ...layerNormSpecs('lm_head.layer_norm', width),
        paramSpec('lm_head.bias', [vocabulary], init),
      ],
      forward: (weights, hidden) => {
        const dense = gelu(linearLayer(weights, 'lm_head.dense', hidden));
        const normed = layerNormLayer(weights, 'lm_head.layer_norm', dense, Number(config.layer_norm_eps));
        const tied = { 'decoder.weight': param(weights, 'roberta.embeddings.word_embeddings.weight') };
        return tf.add(linearLayer(tied, 'decoder', normed), param(weights, 'lm_head.bias'));
      },
    };
  }
  if (architecture.endsWith('ForImageClassification')) {
    const labels = Object.keys((config.id2label as object | undefined) ?? { 0: '', 1: '' }).length;
    return {
      specs: linearSpecs('classifier', labels, width, init),
      forward: (weights, hidden, pooled) => {
        // ViT classifies its class token before the pooler; the others their pooled features.
        const features =
          config.model_type === 'vit' ? tf.squeeze(tf.slice(hidden, [0, 0, 0], [-1, 1, -1]), [1]) : pooled!;
        return linearLayer(weights, 'classifier', features);
      },
    };
  }
  return undefined;
}

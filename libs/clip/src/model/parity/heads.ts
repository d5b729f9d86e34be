/**
 * The heads of transformers' image classification, masked language and CLIP projection models: what the logits or
 * embeddings of a task checkpoint's golden file are made of. B batch, T tokens, D width, V vocabulary, L labels.
 */
import * as tf from '@tensorflow/tfjs-core';
import { activation, firstToken } from '../ops/index.js';
import type { TensorSpec, TowerOutput, Weights } from '../types.js';
import {
  layerNormLayer,
  layerNormSpecs,
  linearLayer,
  linearSpecs,
  param,
  paramSpec,
} from '../weights/params.js';

export interface Head {
  readonly specs: TensorSpec[];
  /** What the file's tower names have in front. */
  readonly prefix: string;
  /** The golden file's name of what the head computes. */
  readonly output: 'logits' | 'image_embeds' | 'text_embeds';
  /** By the names of the file. */
  forward(weights: Weights, output: TowerOutput): tf.Tensor;
}

type Config = Readonly<Record<string, unknown>>;

const UNSET = { kind: 'zeros' } as const;

/**
 * The head that a config's architecture has on a tower of width D; undefined for bare towers.
 * @param prefix what task models put before the tower's names
 */
export function taskHead(config: Config, D: number, prefix: string): Head | undefined {
  const architecture = Array.isArray(config.architectures) ? String(config.architectures[0]) : '';
  if (architecture.startsWith('CLIP') && architecture.endsWith('WithProjection'))
    return projection(config, D);
  if (architecture.endsWith('ForImageClassification')) return classifier(config, D, prefix);
  if (architecture.endsWith('ForMaskedLM')) return maskedLanguageHead(config, D, prefix);
  return undefined;
}

/** CLIP's towers with their half of the projections; the embeddings are not normalised. */
function projection(config: Config, D: number): Head {
  const isVision = config.model_type === 'clip_vision_model';
  const name = isVision ? 'visual_projection' : 'text_projection';
  return {
    prefix: '',
    output: isVision ? 'image_embeds' : 'text_embeds',
    specs: linearSpecs(name, Number(config.projection_dim ?? 512), D, UNSET, false),
    forward: (weights, { pooler_output }) => linearLayer(weights, name, pooler_output!),
  };
}

function classifier(config: Config, D: number, prefix: string): Head {
  const labels = Object.keys((config.id2label as object | undefined) ?? { 0: '', 1: '' }).length;
  const name = config.model_type === 'resnet' ? 'classifier.1' : 'classifier';
  const inputs = config.model_type === 'dinov2' ? 2 * D : D;
  return {
    prefix,
    output: 'logits',
    specs: linearSpecs(name, labels, inputs, UNSET),
    forward: (weights, output) => linearLayer(weights, name, classifierFeatures(config, output)),
  };
}

/** ViT and DeiT classify the class token before the pooler, DINOv2 with the mean of the patches beside it. */
function classifierFeatures(config: Config, { last_hidden_state, pooler_output }: TowerOutput): tf.Tensor {
  const first = () => firstToken(last_hidden_state);
  if (config.model_type === 'vit' || config.model_type === 'deit') return first();
  if (config.model_type !== 'dinov2') return pooler_output!;
  const patches = tf.slice(last_hidden_state, [0, 1, 0], [-1, -1, -1]);
  return tf.concat([first(), tf.mean(patches, 1)], 1);
}

/** Where each model keeps its parts; the decoder's weight is the word embeddings. */
const LANGUAGE_HEADS: Readonly<
  Record<string, { dense: string; norm: string; bias: string; act?: string; epsilon?: number }>
> = {
  roberta: { dense: 'lm_head.dense', norm: 'lm_head.layer_norm', bias: 'lm_head.bias', act: 'gelu' },
  'xlm-roberta': { dense: 'lm_head.dense', norm: 'lm_head.layer_norm', bias: 'lm_head.bias', act: 'gelu' },
  mpnet: { dense: 'lm_head.dense', norm: 'lm_head.layer_norm', bias: 'lm_head.bias', act: 'gelu' },
  bert: {
    dense: 'cls.predictions.transform.dense',
    norm: 'cls.predictions.transform.LayerNorm',
    bias: 'cls.predictions.bias',
  },
  distilbert: {
    dense: 'vocab_transform',
    norm: 'vocab_layer_norm',
    bias: 'vocab_projector.bias',
    epsilon: 1e-12,
  },
};

function maskedLanguageHead(config: Config, D: number, prefix: string): Head | undefined {
  const head = LANGUAGE_HEADS[String(config.model_type)];
  if (head === undefined) return undefined;
  const act = activation(head.act ?? ((config.hidden_act ?? config.activation ?? 'gelu') as string));
  const epsilon = head.epsilon ?? Number(config.layer_norm_eps ?? 1e-12);
  return {
    prefix,
    output: 'logits',
    specs: [
      ...linearSpecs(head.dense, D, D, UNSET),
      ...layerNormSpecs(head.norm, D),
      paramSpec(head.bias, [Number(config.vocab_size)], UNSET),
    ],
    forward: (weights, { last_hidden_state }) => {
      const dense = act(linearLayer(weights, head.dense, last_hidden_state));
      const decoder = {
        'decoder.weight': param(weights, `${prefix}embeddings.word_embeddings.weight`),
        'decoder.bias': param(weights, head.bias),
      };
      return linearLayer(decoder, 'decoder', layerNormLayer(weights, head.norm, dense, epsilon)); // [B, T, V]
    },
  };
}

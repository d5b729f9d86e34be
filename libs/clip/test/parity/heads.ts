/**
 * The heads of transformers' image classification, masked language and CLIP projection models: what the logits or
 * embeddings of a task checkpoint's golden file are made of. B batch, T tokens, D width, V vocabulary.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  layer,
  layerNorm,
  linear,
  named,
  parameter,
  ZEROS,
  type Layer,
} from '../../src/model/layers/index.js';
import { activation, firstToken, linear as multiply } from '../../src/model/ops/index.js';
import type { TowerOutput } from '../../src/model/tower.js';

export interface Head {
  /** By the names of the file, from its root. */
  readonly layer: Layer<(output: TowerOutput) => tf.Tensor>;
  /** The name under which the file has the tower; '' where it stands at the root. */
  readonly towerKey: string;
  /** The golden file's name of what the head computes. */
  readonly output: 'logits' | 'image_embeds' | 'text_embeds';
}

type Config = Readonly<Record<string, unknown>>;

/**
 * The head that a config's architecture has on a tower of width D; undefined for bare towers.
 * @param towerKey the name under which task models have the tower
 */
export function taskHead(config: Config, D: number, towerKey: string): Head | undefined {
  const architecture = Array.isArray(config.architectures) ? String(config.architectures[0]) : '';
  if (architecture.startsWith('CLIP') && architecture.endsWith('WithProjection'))
    return projection(config, D);
  if (architecture.endsWith('ForImageClassification')) return classifier(config, D, towerKey);
  if (architecture.endsWith('ForMaskedLM')) return maskedLanguageHead(config, D, towerKey);
  return undefined;
}

/** One of CLIP's towers with its projection; the embeddings are not normalised. */
function projection(config: Config, D: number): Head {
  const isVision = config.model_type === 'clip_vision_model';
  const E = Number(config.projection_dim ?? 512);
  const key = isVision ? 'visual_projection' : 'text_projection';
  return {
    towerKey: '',
    output: isVision ? 'image_embeds' : 'text_embeds',
    layer: layer({ [key]: linear(D, E, ZEROS, false) }, (bound) => ({ pooler_output }) => {
      return bound[key]!(pooler_output!);
    }),
  };
}

function classifier(config: Config, D: number, towerKey: string): Head {
  const labels = Object.keys((config.id2label as object | undefined) ?? { 0: '', 1: '' }).length;
  const key = config.model_type === 'resnet' ? 'classifier.1' : 'classifier';
  const inputs = config.model_type === 'dinov2' ? 2 * D : D;
  return {
    towerKey,
    output: 'logits',
    layer: layer(
      { classifier: named(key, linear(inputs, labels, ZEROS)) },
      ({ classifier }) =>
        (output) =>
          classifier(classifierFeatures(config, output)),
    ),
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

interface LanguageHead {
  readonly dense: string;
  readonly norm: string;
  readonly bias: string;
  readonly act?: string;
  readonly epsilon?: number;
}

const ROBERTA_HEAD: LanguageHead = {
  dense: 'lm_head.dense',
  norm: 'lm_head.layer_norm',
  bias: 'lm_head.bias',
  act: 'gelu',
};

/** Where each model has its parts. */
const LANGUAGE_HEADS: Readonly<Record<string, LanguageHead>> = {
  roberta: ROBERTA_HEAD,
  'xlm-roberta': ROBERTA_HEAD,
  mpnet: ROBERTA_HEAD,
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

function maskedLanguageHead(config: Config, D: number, towerKey: string): Head | undefined {
  const head = LANGUAGE_HEADS[String(config.model_type)];
  if (head === undefined) return undefined;
  const act = activation(head.act ?? ((config.hidden_act ?? config.activation ?? 'gelu') as string));
  const epsilon = head.epsilon ?? Number(config.layer_norm_eps ?? 1e-12);
  const V = Number(config.vocab_size);
  return {
    towerKey,
    output: 'logits',
    layer: layer(
      {
        dense: named(head.dense, linear(D, D, ZEROS)),
        norm: named(head.norm, layerNorm(D, epsilon)),
        bias: named(head.bias, parameter([V], ZEROS)),
        words: named(`${towerKey}.embeddings.word_embeddings.weight`, tiedTensor()),
      },
      ({ dense, norm, bias, words }) =>
        ({ last_hidden_state }) =>
          multiply(norm(act(dense(last_hidden_state))), words, bias), // [B, T, V]
    ),
  };
}

/** A tensor that another layer owns: the decoder's weight is the word embeddings. */
function tiedTensor(): Layer<tf.Tensor> {
  return { specs: () => [], bind: (weights, name) => weights[name]! };
}

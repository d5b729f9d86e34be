/**
 * RoBERTa and XLM-RoBERTa (Liu et al. 2019, Conneau et al. 2019) as transformers' `RobertaModel`:
 * a BERT encoder whose positions count from the padding token's id.
 */
import * as tf from '@tensorflow/tfjs-core';
import { size, tokenId } from '../config/schema.js';
import type { TextInputs, TowerDefinition } from '../types.js';
import { bertForward, bertSchema, bertSpecs, parseBert, type BertConfig } from './bert.js';

/** 1, 2, … at tokens and `padding` at padding, shifted by `padding`: int32 [B, T]. */
export function positionsFromPadding(input_ids: tf.Tensor, padding: number): tf.Tensor {
  const present = tf.cast(tf.notEqual(input_ids, tf.scalar(padding, 'int32')), 'int32');
  return tf.add(tf.mul(tf.cumsum(present, 1), present), tf.scalar(padding, 'int32'));
}

/** The two differ in the vocabulary that a config without vocab_size means. */
function define(modelType: string, defaultVocabulary: number): TowerDefinition<BertConfig, TextInputs> {
  const schema = bertSchema.extend({
    vocab_size: size().default(defaultVocabulary),
    pad_token_id: tokenId().default(1),
  });
  return {
    modelTypes: [modelType],
    baseModelPrefix: 'roberta',
    parseConfig: (json) => parseBert(schema, modelType, json),
    tensorSpecs: (config) => bertSpecs(config, paddingOf(config)),
    forward: (weights, config, inputs, ctx) => {
      const paddingIndex = paddingOf(config);
      const positions = positionsFromPadding(inputs.input_ids, paddingIndex);
      return bertForward(weights, config, inputs, ctx, { positions, paddingIndex });
    },
    outputSize: (config) => config.hidden_size,
    optional: /^pooler\./,
    maxTokens: (config) => config.max_position_embeddings - paddingOf(config) - 1,
  };
}

function paddingOf(config: BertConfig): number {
  return config.pad_token_id ?? 1;
}

export const roberta = define('roberta', 50265);
export const xlmRoberta = define('xlm-roberta', 30522);

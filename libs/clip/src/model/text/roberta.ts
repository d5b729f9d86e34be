/**
 * RoBERTa and XLM-RoBERTa (Liu et al. 2019, Conneau et al. 2019) as transformers' `RobertaModel`:
 * a BERT encoder whose positions count from the padding token's id.
 */
import * as tf from '@tensorflow/tfjs-core';
import { size, tokenId } from '../config/schema.js';
import type { TextInputs, TowerDefinition } from '../types.js';
import { bertForward, bertSchema, bertSpecs, parseBert, type BertConfig } from './bert.js';

const schema = bertSchema.extend({
  vocab_size: size().default(50265),
  pad_token_id: tokenId().default(1),
});

/** 1, 2, … at tokens and `padding` at padding, shifted by `padding`: int32 [B, T]. */
export function positionsFromPadding(input_ids: tf.Tensor, padding: number): tf.Tensor {
  const present = tf.cast(tf.notEqual(input_ids, tf.scalar(padding, 'int32')), 'int32');
  return tf.add(tf.mul(tf.cumsum(present, 1), present), tf.scalar(padding, 'int32'));
}

export const roberta: TowerDefinition<BertConfig, TextInputs> = {
  modelTypes: ['roberta', 'xlm-roberta'],
  baseModelPrefix: 'roberta',
  parseConfig: (json) => parseBert(schema, 'roberta', json),
  tensorSpecs: (config) => bertSpecs(config, config.pad_token_id),
  forward: (weights, config, inputs, ctx) => {
    const padding = config.pad_token_id ?? 1;
    const positions = positionsFromPadding(inputs.input_ids, padding);
    return bertForward(weights, config, inputs, ctx, { positions, paddingIndex: padding });
  },
  outputSize: (config) => config.hidden_size,
  optional: /^pooler\./,
  maxTokens: (config) => config.max_position_embeddings - (config.pad_token_id ?? 1) - 1,
};

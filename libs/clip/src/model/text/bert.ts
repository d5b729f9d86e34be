/**
 * BERT (Devlin et al. 2018) as transformers' `BertModel`: post-norm blocks, a tanh pooler on the first token.
 * B batch, T tokens, V vocab_size, D hidden_size, F intermediate_size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import { blockStack } from '../blocks/gradient-checkpointing.js';
import { firstTokenPooler } from '../blocks/pooler.js';
import { postNormBlock, runBlocks, type Block } from '../blocks/transformer.js';
import * as field from '../config/schema.js';
import {
  embeddingTable,
  layer,
  layerNorm,
  linear,
  normal,
  queryKeyValue,
  type Layer,
} from '../layers/index.js';
import { activation, dropout, paddingMask } from '../ops/index.js';
import type { Forward, TextInputs, TowerDefinition } from '../tower.js';
import { checkTokens, positionsFromPadding } from './tokens.js';

export const bertSchema = field.configSchema({
  ...field.transformerKeys({ dropout: 0.1, epsilon: 1e-12 }),
  vocab_size: field.size().default(30522),
  intermediate_size: field.size().default(3072),
  max_position_embeddings: field.size().default(512),
  type_vocab_size: field.size().default(2),
  pad_token_id: field.tokenId().nullable().default(0),
  position_embedding_type: field.only('absolute'),
  classifier_dropout: field.noEffect(),
  // Google's first configs describe a pooler that transformers does not build from them
  directionality: field.noEffect(),
  pooler_fc_size: field.noEffect(),
  pooler_num_attention_heads: field.noEffect(),
  pooler_num_fc_layers: field.noEffect(),
  pooler_size_per_head: field.noEffect(),
  pooler_type: field.noEffect(),
});

export type BertConfig = z.output<typeof bertSchema>;

export function parseBert<Schema extends z.ZodType<BertConfig>>(
  schema: Schema,
  name: string,
  json: unknown,
): BertConfig {
  const config = field.parseTransformerWith(schema, name, json);
  const { pad_token_id, vocab_size } = config;
  const padding = { pad_token_id, vocab_size };
  field.requireConfig((pad_token_id ?? 0) < vocab_size, name, 'pad_token_id below vocab_size', padding);
  return config;
}

function bertLayer(config: BertConfig): Layer<Block> {
  const { hidden_size: D, intermediate_size: F, layer_norm_eps: eps, hidden_dropout_prob: rate } = config;
  const init = normal(config.initializer_range);
  return layer(
    {
      attention: {
        self: queryKeyValue(D, init),
        output: { dense: linear(D, D, init), LayerNorm: layerNorm(D, eps) },
      },
      intermediate: { dense: linear(D, F, init) },
      output: { dense: linear(F, D, init), LayerNorm: layerNorm(D, eps) },
    },
    ({ attention, intermediate, output }) =>
      postNormBlock({
        projections: attention.self,
        numHeads: config.num_attention_heads,
        dropoutRate: config.attention_probs_dropout_prob,
        attended: (context, ctx) => dropout(attention.output.dense(context), rate, ctx),
        attentionNorm: attention.output.LayerNorm,
        feedForward: (x, ctx) =>
          dropout(output.dense(activation(config.hidden_act)(intermediate.dense(x))), rate, ctx),
        feedForwardNorm: output.LayerNorm,
      }),
  );
}

/**
 * The tower behind BERT and RoBERTa.
 * @param positionPadding the token whose positions are no positions: those of the others count from it, as in RoBERTa
 */
export function bertTower(config: BertConfig, positionPadding?: number): Layer<Forward<TextInputs>> {
  const { vocab_size: V, hidden_size: D, max_position_embeddings, pad_token_id } = config;
  const init = normal(config.initializer_range);
  const maxTokens = max_position_embeddings - (positionPadding === undefined ? 0 : positionPadding + 1);
  return layer(
    {
      embeddings: {
        word_embeddings: embeddingTable(V, D, init, pad_token_id ?? undefined),
        position_embeddings: embeddingTable(max_position_embeddings, D, init, positionPadding),
        token_type_embeddings: embeddingTable(config.type_vocab_size, D, init),
        LayerNorm: layerNorm(D, config.layer_norm_eps),
      },
      encoder: { layer: blockStack(config.num_hidden_layers, () => bertLayer(config)) },
      pooler: firstTokenPooler(D, D, init, tf.tanh),
    },
    ({ embeddings, encoder, pooler }) =>
      ({ input_ids, attention_mask }, ctx) => {
        checkTokens(input_ids, maxTokens);
        const words = embeddings.word_embeddings(input_ids); // [B, T, D]
        const positions =
          positionPadding === undefined
            ? embeddings.position_embeddings.first(input_ids.shape[1]!) // [T, D]
            : embeddings.position_embeddings(positionsFromPadding(input_ids, positionPadding)); // [B, T, D]
        const segment = embeddings.token_type_embeddings.first(1); // [1, D]
        const summed = tf.add(tf.add(words, segment), positions);
        const x = dropout(embeddings.LayerNorm(summed), config.hidden_dropout_prob, ctx);
        const mask = attention_mask === undefined ? undefined : paddingMask(attention_mask);
        const last_hidden_state = runBlocks(encoder.layer, x, ctx, mask);
        return { last_hidden_state, pooler_output: pooler(last_hidden_state) };
      },
  );
}

export const bert: TowerDefinition<BertConfig, TextInputs> = {
  modelTypes: ['bert'],
  baseModelPrefix: 'bert',
  parseConfig: (json) => parseBert(bertSchema, 'bert', json),
  layer: (config) => bertTower(config),
  outputSize: (config) => config.hidden_size,
  maxTokens: (config) => config.max_position_embeddings,
};

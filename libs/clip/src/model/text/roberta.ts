/**
 * RoBERTa and XLM-RoBERTa (Liu et al. 2019, Conneau et al. 2019) as transformers' `RobertaModel`:
 * a BERT encoder whose positions count from the padding token's id.
 */
import * as field from '../config/schema.js';
import type { TextInputs, TowerDefinition } from '../tower.js';
import { bertSchema, bertTower, parseBert, type BertConfig } from './bert.js';

/** The two differ in the vocabulary that a config without vocab_size means. */
function define(modelType: string, defaultVocabulary: number): TowerDefinition<BertConfig, TextInputs> {
  const schema = bertSchema.extend({
    vocab_size: field.size().default(defaultVocabulary),
    pad_token_id: field.tokenId().default(1),
  });
  return {
    modelTypes: [modelType],
    baseModelPrefix: 'roberta',
    parseConfig: (json) => parseBert(schema, modelType, json),
    layer: (config) => bertTower(config, paddingOf(config)),
    outputSize: (config) => config.hidden_size,
    maxTokens: (config) => config.max_position_embeddings - paddingOf(config) - 1,
  };
}

function paddingOf(config: BertConfig): number {
  return config.pad_token_id ?? 1;
}

export const roberta = define('roberta', 50265);
export const xlmRoberta = define('xlm-roberta', 30522);

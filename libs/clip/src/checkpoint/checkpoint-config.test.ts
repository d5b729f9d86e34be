import { describe, expect, it } from 'vitest';
import { maxTextTokens, parseCheckpointConfig, readsPadding } from './checkpoint-config.js';

const dual = (text: object) => ({
  model_type: 'vision-text-dual-encoder',
  projection_dim: 8,
  vision_config: { model_type: 'vit' },
  text_config: text,
});

describe('maxTextTokens', () => {
  it.each([
    [dual({ model_type: 'bert', max_position_embeddings: 40 }), 40],
    [dual({ model_type: 'bert' }), 512],
    [dual({ model_type: 'roberta', max_position_embeddings: 514 }), 512],
    [dual({ model_type: 'xlm-roberta', max_position_embeddings: 66, pad_token_id: 3 }), 62],
    [dual({ model_type: 'clip_text_model' }), 77],
    [{ model_type: 'clip' }, 77],
    [{ model_type: 'siglip' }, 64],
    [
      { model_type: 'siglip', text_config: { model_type: 'siglip_text_model', max_position_embeddings: 16 } },
      16,
    ],
  ])('%j has room for %i', (json, tokens) => {
    expect(maxTextTokens(parseCheckpointConfig(json, 'config.json'))).toBe(tokens);
  });
});

describe('readsPadding', () => {
  it.each([
    [{ model_type: 'siglip' }, true],
    [dual({ model_type: 'siglip_text_model' }), true],
    [dual({ model_type: 'clip_text_model' }), false],
    [{ model_type: 'clip' }, false],
  ])('%j: %s', (json, reads) => {
    expect(readsPadding(parseCheckpointConfig(json, 'config.json'))).toBe(reads);
  });
});

describe('parseCheckpointConfig', () => {
  it('asks the towers of a dual encoder for their model_type', () => {
    const config = { ...dual({ model_type: 'bert' }), vision_config: {} };
    expect(() => parseCheckpointConfig(config, 'config.json')).toThrow(
      'config.json: vision_config.model_type',
    );
  });

  it.each([null, 'text', [], {}, { model_type: 'bert' }])(
    'refuses %j as no model with two towers',
    (json) => {
      expect(() => parseCheckpointConfig(json, 'config.json')).toThrow(/expected model_type|config\.json/);
    },
  );
});

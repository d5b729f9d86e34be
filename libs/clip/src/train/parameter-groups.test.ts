import { describe, expect, it } from 'vitest';
import { createDualEncoder, dualEncoderSpecs } from '../model/index.js';
import { rateFactors, trainableNames, type LearningParts } from './parameter-groups.js';

const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12 };
const vision_config = { ...sizes, image_size: 8, patch_size: 4 };
const text_config = { ...sizes, vocab_size: 20, max_position_embeddings: 8 };

function learns(
  json: object,
  frozenTowers: LearningParts['frozenTowers'],
  parts: Partial<LearningParts> = {},
): string[] {
  const model = createDualEncoder(json);
  return trainableNames(model, dualEncoderSpecs(model), { frozenTowers, learnTemperature: true, ...parts });
}

describe('the tensors that learn', () => {
  const pair = {
    model_type: 'vision-text-dual-encoder',
    vision_config: { model_type: 'vit', ...vision_config },
    text_config: { model_type: 'bert', ...text_config },
  };
  const heads = ['visual_projection.weight', 'text_projection.weight', 'logit_scale'];

  it.each([
    ['a pair of towers', pair],
    [
      'a CLIP model, whose towers stand at the root of the file',
      { model_type: 'clip', vision_config, text_config },
    ],
  ])('are heads and temperature alone where the towers of %s are frozen', (_, json) => {
    expect(learns(json, true)).toEqual(heads);
    expect(learns(json, true, { learnTemperature: false })).toEqual(heads.slice(0, 2));
    expect(learns(json, false).length).toBeGreaterThan(30);
  });

  it('are temperature and bias of a SigLIP model with frozen towers; the bias with the sigmoid loss alone', () => {
    const siglip = { model_type: 'siglip', vision_config, text_config };
    expect(learns(siglip, true, { loss: 'sigmoid' })).toEqual(['logit_scale', 'logit_bias']);
    expect(learns(siglip, true, { loss: 'softmax' })).toEqual(['logit_scale']);
  });

  it('are the other tower and the heads where one tower is locked', () => {
    const names = learns(pair, 'vision');
    expect(names.filter((name) => name.startsWith('vision_model.'))).toEqual([]);
    expect(names).toContain('text_model.embeddings.word_embeddings.weight');
    expect(names).toEqual(expect.arrayContaining(heads));
  });

  it('are the last blocks of a tower and what follows them', () => {
    const names = learns(pair, false, { unfreezeLast: { vision: 0, text: 1 } });
    const ofVision = names.filter((name) => name.startsWith('vision_model.'));
    expect(ofVision).toEqual([
      'vision_model.layernorm.weight',
      'vision_model.layernorm.bias',
      'vision_model.pooler.dense.weight',
      'vision_model.pooler.dense.bias',
    ]);
    expect(names).toContain('text_model.encoder.layer.0.output.dense.weight');
    expect(names).not.toContain('text_model.embeddings.word_embeddings.weight');
    expect(names).toEqual(expect.arrayContaining(heads));
  });

  it('take rates by group, and by layer within a tower', () => {
    const model = createDualEncoder(pair);
    const names = dualEncoderSpecs(model).map(({ name }) => name);
    const rates = { towers: 0.5, heads: 2, logitScale: 0.1, layerDecay: 0.6 };
    const factors = rateFactors(model, names, rates);
    expect(factors.get('logit_scale')).toBe(0.1);
    expect(factors.get('visual_projection.weight')).toBe(2);
    expect(factors.get('vision_model.layernorm.weight')).toBe(0.5);
    expect(factors.get('vision_model.encoder.layer.0.output.dense.weight')).toBeCloseTo(0.3, 12);
    expect(factors.get('text_model.embeddings.word_embeddings.weight')).toBeCloseTo(0.18, 12);
  });
});

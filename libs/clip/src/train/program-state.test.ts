import { describe, expect, it } from 'vitest';
import { createDualEncoder, dualEncoderSpecs } from '../model/index.js';
import { trainableNames } from './program-state.js';

const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12 };
const vision_config = { ...sizes, image_size: 8, patch_size: 4 };
const text_config = { ...sizes, vocab_size: 20, max_position_embeddings: 8 };

function learns(json: object, frozenTowers: boolean, learnTemperature = true): string[] {
  const model = createDualEncoder(json);
  return trainableNames(model, dualEncoderSpecs(model), { frozenTowers, learnTemperature });
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
    expect(learns(json, true, false)).toEqual(heads.slice(0, 2));
    expect(learns(json, false).length).toBeGreaterThan(30);
  });

  it('are temperature and bias of a SigLIP model with frozen towers', () => {
    expect(learns({ model_type: 'siglip', vision_config, text_config }, true)).toEqual([
      'logit_scale',
      'logit_bias',
    ]);
  });
});

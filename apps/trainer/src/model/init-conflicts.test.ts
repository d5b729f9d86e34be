import { createDualEncoder } from '@clip-ts/clip/model';
import { expect, it } from 'vitest';
import { initModelConfigSchema } from '../config/model-config.js';
import { assertNoConflict } from './init-conflicts.js';

const sizes = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 12 };
const model = createDualEncoder({
  model_type: 'clip',
  projection_dim: 6,
  vision_config: { ...sizes, image_size: 8, patch_size: 4 },
  text_config: { ...sizes, vocab_size: 20, max_position_embeddings: 8 },
});
const check = (settings: object) => () =>
  assertNoConflict({ ...initModelConfigSchema.parse(settings), init_from: 'x/clip' }, 'model.json', model);

it.each([
  [
    { vision_backbone: 'x/vit' },
    'model.json: "vision_backbone" contradicts init_from x/clip: expected the key left out',
  ],
  [{ text_backbone: { model_type: 'bert' } }, '"text_backbone" contradicts'],
  [{ image_processor: { resample: 3 } }, '"image_processor" contradicts'],
  [
    { dim: 256 },
    '"dim" contradicts init_from x/clip: expected 6 as in the model, or the key left out, found 256',
  ],
  [{ projection_head: 'residual' }, 'expected "linear" as in the model'],
  [{ text_pooling: 'mean' }, 'expected "pooler" as in the model'],
  [{ dropout: 0.1 }, 'the layout of a clip model has no dropout in its heads'],
])('%j contradicts a CLIP model to start from, with a stable code', (settings, message) => {
  expect(check(settings)).toThrow(message);
  expect(check(settings)).toThrow(expect.objectContaining({ code: 'INIT_FROM_CONFLICT' }));
});

it('settings that say what the model has are no conflict', () => {
  expect(check({ dim: 6, projection_head: 'linear', text_pooling: 'pooler', dropout: 0 })).not.toThrow();
});

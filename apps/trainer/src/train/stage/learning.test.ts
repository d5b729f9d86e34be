import { createDualEncoder, dualEncoderSpecs } from '@clip-ts/clip/model';
import { describe, expect, it } from 'vitest';
import type { Stage } from '../../config/run-settings.js';
import { assertApplies, assertOneLoss, oneInitFrom } from '../../config/stage-rules.js';
import { trainingConfigSchema } from '../../config/training-config.js';
import { learningOf } from './learning.js';

const sizes = { hidden_size: 8, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 12 };
const towers = {
  vision_config: { ...sizes, image_size: 8, patch_size: 4 },
  text_config: { ...sizes, vocab_size: 20, max_position_embeddings: 8 },
};

function stage(settings: object, frozenTowers = false): Stage {
  const config = trainingConfigSchema.parse({
    ...{ output_dir: 'runs', learning_rate: 1e-3, weight_decay: 0, batch_size: 8, epochs: 1, seed: 0 },
    ...{ dataloader_num_workers: 1, num_workers_dataloader: 1, gradient_accumulation_steps: 1 },
    ...{ warmup_steps_factor: 0, early_stopping: 0, device: 'cpu', fp16: 0, scheduler_mode: 'min' },
    ...settings,
  });
  return { name: frozenTowers ? 'heads' : 'everything', frozenTowers, config, file: 'stage.json' };
}

function learning(model_type: 'clip' | 'siglip', settings: object, temperature?: 'learned' | 'none') {
  const model = createDualEncoder({ model_type, ...towers });
  return learningOf(stage(settings), { model, specs: dualEncoderSpecs(model) }, temperature);
}

describe('what learns', () => {
  it('by the loss that the model was made for, unless the configuration names another', () => {
    expect(learning('clip', {}).loss).toEqual({ kind: 'softmax', labelSmoothing: 0 });
    expect(learning('siglip', {}).loss).toEqual({ kind: 'sigmoid' });
    expect(learning('siglip', {}).trainable).toContain('logit_bias');
    const softmax = learning('siglip', { loss: 'softmax', label_smoothing: 0.1 });
    expect(softmax.loss).toEqual({ kind: 'softmax', labelSmoothing: 0.1 });
    expect(softmax.trainable).not.toContain('logit_bias');
  });

  it('at shares of learning_rate by group', () => {
    const { rateFactors } = learning('clip', { tower_learning_rate: 1e-4, head_learning_rate: 2e-3 });
    expect(rateFactors.get('text_model.final_layer_norm.weight')).toBeCloseTo(0.1, 12);
    expect(rateFactors.get('text_projection.weight')).toBeCloseTo(2, 12);
    expect(rateFactors.get('logit_scale')).toBe(1);
  });

  it('keeps logit_scale below 100 with the softmax loss; published SigLIP models have more', () => {
    expect(Math.exp(learning('clip', {}).logitScaleMaximum)).toBeCloseTo(100, 9);
    expect(Math.exp(learning('siglip', {}).logitScaleMaximum)).toBeGreaterThan(118);
  });

  it.each([
    ['siglip', { head_learning_rate: 1e-3 }, '"head_learning_rate": a siglip model has no projection heads'],
    ['siglip', { label_smoothing: 0.1 }, '"label_smoothing": the sigmoid loss'],
    [
      'clip',
      { unfreeze_last: 3 },
      'the vision tower (clip_vision_model) has 2 blocks; expected at most 2, found 3',
    ],
  ] as const)('refuses for a %s model %j', (kind, settings, message) => {
    expect(() => learning(kind, settings)).toThrow(message);
  });

  it('refuses a rate for a fixed logit_scale', () => {
    expect(() => learning('clip', { logit_scale_learning_rate: 1 }, 'none')).toThrow('logit_scale is fixed');
  });
});

describe('keys of a training configuration', () => {
  it.each([
    [{ lock_tower: 'vision' }, true, '"lock_tower": the towers are frozen in stage 1'],
    [{ layer_decay: 0.5 }, true, '"layer_decay": the towers are frozen in stage 1'],
    [{ cached_views: 2 }, false, '"cached_views": features can be kept while the towers are frozen only'],
    [{ lock_tower: 'text', unfreeze_last: { text: 1 } }, false, '"unfreeze_last": the text tower is locked'],
    [{ batch_norm: 'training', lock_tower: 'vision' }, false, '"batch_norm": the vision tower is locked'],
    [{ batch_norm: 'training', unfreeze_last: 1 }, false, '"batch_norm": blocks that do not learn'],
  ])('%j with frozen towers %s is refused', (settings, frozen, message) => {
    expect(() => assertApplies(stage(settings, frozen))).toThrow(message);
  });

  it('name one loss and one model to start from for both stages', () => {
    const stages = (a: object, b: object) => [stage(a, true), stage(b)];
    expect(() => assertOneLoss(stages({}, { loss: 'sigmoid' }))).toThrow('"loss": both stages take one loss');
    expect(() => oneInitFrom(stages({ init_from: 'a/b' }, { init_from: 'c/d' }))).toThrow(
      'a run starts from one model',
    );
    expect(oneInitFrom(stages({}, { init_from: 'c/d' }))).toBe('c/d');
  });
});

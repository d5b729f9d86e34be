import { describe, expect, it } from 'vitest';
import { TEXT_TYPES, VISION_TYPES } from '../../../test/model-types.js';
import { createTextTower, createVisionTower } from '../registry.js';
import { createDualEncoder } from '../dual-encoder.js';

const create = (model_type: string, options: object = {}) =>
  (VISION_TYPES.includes(model_type) ? createVisionTower : createTextTower)({ model_type, ...options });

describe.each([...VISION_TYPES, ...TEXT_TYPES])('the config of %s', (modelType) => {
  it('has a default for everything', () => {
    expect(create(modelType).specs.length).toBeGreaterThan(0);
  });

  it('refuses an unknown key by name', () => {
    expect(() => create(modelType, { rotary_base: 1 })).toThrow(/rotary_base/);
  });

  it('refuses what no tower here does: decoding, cross-attention, pruned heads', () => {
    expect(() => create(modelType, { is_decoder: true })).toThrow(/is_decoder/);
    expect(() => create(modelType, { add_cross_attention: true })).toThrow(/add_cross_attention/);
    expect(() => create(modelType, { pruned_heads: { 0: [1] } })).toThrow(/pruned_heads/);
  });

  it('accepts what transformers writes into every config', () => {
    const common = {
      architectures: ['Any'],
      transformers_version: '4.57.3',
      dtype: 'float32',
      torch_dtype: 'float16',
      id2label: { 0: 'a' },
      is_decoder: false,
      pruned_heads: {},
      top_k: 50,
      output_hidden_states: false,
    };
    expect(create(modelType, common).specs.length).toBeGreaterThan(0);
  });
});

describe('options of single towers', () => {
  it.each([
    ['vit', { hidden_size: 10, num_attention_heads: 3 }, /hidden_size divisible/],
    ['vit', { hidden_act: 'prelu' }, /hidden_act.*gelu_new/],
    ['swin', { use_absolute_embeddings: true }, /use_absolute_embeddings/],
    ['swin', { hidden_size: 100 }, /hidden_size 768/],
    ['swin', { num_layers: 3 }, /num_layers/],
    ['bert', { position_embedding_type: 'relative_key' }, /position_embedding_type: only "absolute"/],
    ['roberta', { pad_token_id: null }, /pad_token_id/],
    ['convnext', { num_stages: 3 }, /num_stages/],
    ['resnet', { layer_type: 'wide' }, /layer_type/],
    ['siglip_vision_model', { vision_use_head: false }, /vision_use_head/],
    ['mpnet', { relative_attention_num_buckets: 16 }, /relative_attention_num_buckets/],
  ])('%s refuses %j', (modelType, options, message) => {
    expect(() => create(modelType, options)).toThrow(message);
  });

  it('DistilBERT knows its sizes by the names of other models too', () => {
    expect(create('distilbert', { hidden_size: 24, num_attention_heads: 4 }).outputSize).toBe(24);
  });

  it('an unknown model_type is refused with the list of known ones', () => {
    expect(() => createVisionTower({ model_type: 'beit' })).toThrow(/one of vit, deit.*found "beit"/);
    expect(() => createTextTower({})).toThrow(/no model_type/);
  });
});

describe('the config of a dual encoder', () => {
  const towers = {
    model_type: 'vision-text-dual-encoder',
    vision_config: { model_type: 'vit' },
    text_config: { model_type: 'bert' },
  };

  it('takes the options of this project and no others', () => {
    expect(createDualEncoder({ ...towers, projection_head: 'residual' }).embeddingSize).toBe(512);
    expect(() => createDualEncoder({ ...towers, projection_heads: 2 })).toThrow(/projection_heads/);
    expect(() => createDualEncoder({ ...towers, text_config: { model_type: 'gpt2' } })).toThrow(/"gpt2"/);
  });

  it("obeys CLIP's deprecated *_config_dict as transformers does", () => {
    const model = createDualEncoder({
      model_type: 'clip',
      text_config: { hidden_size: 64 },
      text_config_dict: { hidden_size: 128, num_attention_heads: 2 },
      vision_config: { hidden_size: 96 },
      vision_config_dict: null,
    });
    expect([model.text.outputSize, model.vision.outputSize]).toEqual([128, 96]);
  });
});

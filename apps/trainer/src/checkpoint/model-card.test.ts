import { describe, expect, it } from 'vitest';
import { freshState } from './training-state.js';
import { modelConfigSchema } from '../config/model-config.js';
import { modelCard, type RunSummary } from './model-card.js';

function card(model: object, towers: Partial<RunSummary> = {}): string {
  const settings: RunSummary['settings'] = {
    data: 'photos',
    trainSplit: 'train2017',
    validationSplit: 'val2017',
    output: 'runs/photos',
    modelFile: 'model_config.json',
    stages: [],
    workers: { training: 1, validation: 1 },
    model: modelConfigSchema.parse({
      vision_backbone: { model_type: 'vit' },
      text_backbone: '/models/roberta-small',
      max_length_corpus: -1,
      dim: 8,
      dropout: 0,
      ...model,
    }),
  };
  const summary: RunSummary = {
    settings,
    backend: 'onnxruntime',
    datasetName: 'photos',
    trainingImages: 10,
    validationImages: 5,
    parameters: 1234,
    imageSize: [64, 64],
    maxLength: 24,
    visionType: 'vit',
    textType: 'roberta',
    model: {
      kind: 'vision-text-dual-encoder',
      vision_config: {},
      text_config: {},
      projection_dim: 8,
      projection_head: settings.model.projection_head ?? 'linear',
      projection_dropout: 0,
      text_pooling: settings.model.text_pooling ?? 'pooler',
      logit_scale_init_value: 0,
    },
    embeddingSize: 8,
    ...towers,
  };
  return modelCard(summary, freshState({}), []);
}

describe('model card', () => {
  it('shows how Python opens a model that transformers has all parts of', () => {
    expect(card({})).toContain('VisionTextDualEncoderModel.from_pretrained(folder)');
  });

  it.each([
    [{ projection_head: 'residual' }, {}, 'projection_head'],
    [{ text_pooling: 'mean' }, {}, 'the mean of the tokens'],
    [{}, { visionType: 'resnet' }, 'resnet'],
    [{}, { textType: 'distilbert' }, 'distilbert'],
  ])('says that it does not for %j %j', (model, towers, reason) => {
    const text = card(model, towers);
    expect(text).not.toContain('from_pretrained');
    expect(text).toContain(reason);
  });

  it('names a local backbone without the folders above it', () => {
    expect(card({})).toContain('| text tower | roberta-small (pretrained)');
  });
});

import { expect, it } from 'vitest';
import { modelConfigSchema } from '../config/model-config.js';
import { visionParts } from './tower-parts.js';

const processorOf = async (settings: object): Promise<unknown> => {
  const config = modelConfigSchema.parse({
    vision_backbone: { model_type: 'vit', image_size: 32 },
    text_backbone: { model_type: 'bert' },
    max_length_corpus: -1,
    dim: 8,
    dropout: 0,
    ...settings,
  });
  const { assets } = await visionParts({ config, corpus: [], seed: 1, log: () => undefined });
  return JSON.parse(String(assets['preprocessor_config.json']));
};

it('the image processor of a new model is its backbone’s, with the keys that the configuration sets', async () => {
  const usual = await processorOf({});
  expect(usual).toMatchObject({ resample: 2, size: { height: 32, width: 32 } });
  const changes = {
    size: { shortest_edge: 36 },
    do_center_crop: true,
    crop_size: { height: 32, width: 32 },
  };
  expect(await processorOf({ image_processor: changes })).toEqual({ ...(usual as object), ...changes });
});

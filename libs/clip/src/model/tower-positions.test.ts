import { describe, expect, it } from 'vitest';
import { GOLDEN, goldenFolders } from '../../test/golden-folders.js';
import { VISION_TYPES } from '../../test/model-types.js';
import { createDualEncoder } from './dual-encoder.js';
import { readConfig } from './load-model.js';
import { towerPositions } from './tower-positions.js';

/** A tower of the golden folders beside one of the other side. */
async function positionsOf(folder: string) {
  const config = await readConfig(`${GOLDEN}/models/${folder}`);
  const isVision = VISION_TYPES.includes(String(config.model_type));
  const other = await readConfig(`${GOLDEN}/models/${isVision ? 'bert' : 'vit'}`);
  const [vision_config, text_config] = isVision ? [config, other] : [other, config];
  const model = createDualEncoder({ model_type: 'vision-text-dual-encoder', vision_config, text_config });
  const side = isVision ? 'vision' : 'text';
  const positions = [...towerPositions(model)].filter(([, position]) => position.side === side);
  return new Map(
    positions.map(([name, { layer, depth }]) => [name.replace(/^\w+_model\./, ''), [layer, depth]]),
  );
}

describe('positions of tensors in their towers', () => {
  it.each([
    ['vit', 'embeddings.cls_token', 0, 2],
    ['vit', 'encoder.layer.0.attention.attention.query.weight', 1, 2],
    ['vit', 'encoder.layer.1.output.dense.bias', 2, 2],
    ['vit', 'layernorm.weight', 3, 2],
    ['dinov2', 'encoder.layer.1.mlp.fc1.weight', 2, 2],
    ['bert', 'embeddings.LayerNorm.weight', 0, 2],
    ['bert', 'pooler.dense.weight', 3, 2],
    ['distilbert', 'transformer.layer.1.ffn.lin1.weight', 2, 2],
    ['mpnet', 'encoder.relative_attention_bias.weight', 0, 2],
    ['swin', 'encoder.layers.0.blocks.1.attention.self.query.weight', 2, 4],
    ['swin', 'encoder.layers.0.downsample.reduction.weight', 2, 4],
    ['swin', 'encoder.layers.1.blocks.0.attention.self.query.weight', 3, 4],
    ['swin', 'layernorm.weight', 5, 4],
    ['resnet', 'embedder.embedder.convolution.weight', 0, 3],
    ['resnet', 'encoder.stages.1.layers.0.layer.0.convolution.weight', 3, 3],
  ])('%s: %s is in layer %i of %i blocks', async (folder, name, layer, depth) => {
    expect((await positionsOf(folder)).get(name)).toEqual([layer, depth]);
  });

  const towers = goldenFolders('models').filter(
    ({ path }) =>
      path.startsWith(GOLDEN) && !/\/(clip|siglip|roberta-masked-lm|vit-image-classification)$/.test(path),
  );
  it.each(towers)(
    '$name: every layer from the embeddings to the last block has tensors',
    async ({ path }) => {
      const positions = [...(await positionsOf(path.split('/').at(-1)!)).values()];
      const depth = positions[0]![1]!;
      expect(depth).toBeGreaterThan(1);
      for (let layer = 0; layer <= depth; layer++)
        expect(
          positions.some(([at]) => at === layer),
          `layer ${layer}`,
        ).toBe(true);
    },
  );
});

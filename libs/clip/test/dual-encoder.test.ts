import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../src/safetensors/index.js';
import { dualEncoderSpecs, encodeImages, encodeTexts, logitsPerImage } from '../src/model/dual-encoder.js';
import { valueAndGradients } from '../src/train/gradients.js';
import { loadDualEncoder } from '../src/model/load-model.js';
import { contrastiveLoss } from '../src/train/loss.js';
import { goldenFolders } from './golden-folders.js';
import { largest, readSections, toTensor, worstDifference, type Section } from './parity/golden.js';
import { createContext } from '../src/model/context.js';
import { projectionHead } from '../src/model/projection-head.js';

const RUNS = ['vit-roberta', 'vit-roberta-frozen', 'swin-roberta'];

describe('the dual encoder against transformers', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  it.each(goldenFolders('training', RUNS))(
    '$name: logits and gradients of the first training step',
    async ({ name, path: folder }) => {
      const { model, tensors } = await loadDualEncoder(folder);
      const golden = await readSections(join(folder, 'golden.safetensors'), [
        'batch0',
        'step0',
        'step0.grad',
      ]);
      const weights = toTensors(tensors);
      const batch = toTensors(Object.fromEntries(golden.batch0!));
      const outputs: Record<string, tf.Tensor> = {};
      const names = dualEncoderSpecs(model)
        .filter((spec) => spec.trainable)
        .map((spec) => spec.name);
      const { gradients } = valueAndGradients(
        (current) => {
          const ctx = createContext();
          const image_embeds = encodeImages(model, current, batch.pixel_values!, ctx);
          const text_embeds = encodeTexts(model, current, batch.input_ids!, batch.attention_mask, ctx);
          const logits_per_image = logitsPerImage(model, current, image_embeds, text_embeds);
          Object.assign(outputs, { image_embeds, text_embeds, logits_per_image });
          Object.values(outputs).forEach((tensor) => tf.keep(tensor));
          return contrastiveLoss(image_embeds, text_embeds, current.logit_scale).loss;
        },
        weights,
        names,
      );
      const expected: Section = new Map([...golden.step0!].filter(([key]) => !key.startsWith('grad.')));
      expect(expected.size).toBe(3);
      expect(worstDifference(read(outputs), expected, 0).value).toBeLessThan(1e-5);
      const grads = golden['step0.grad']!; // of the trained parameters only, where the towers are frozen
      expect(grads.size).toBe(name.includes('frozen') ? 3 : names.length);
      expect(worstDifference(read(gradients), grads, 1e-3 * largest(grads)).value).toBeLessThan(1e-4);
    },
  );

  it.each(goldenFolders('', ['seed-head']))(
    'the residual head and the loss without temperature follow the original script: $name',
    async ({ path: folder }) => {
      const path = join(folder, 'golden.safetensors');
      const golden = await readSections(path, ['vision', 'text', 'input', 'output', 'grad']);
      const config = {
        kind: 'vision-text-dual-encoder',
        projection_head: 'residual',
        projection_dropout: 0,
        projection_dim: golden.output!.get('image_embeds')!.shape[1]!,
      } as const;
      const sides = { vision: 'visual_projection', text: 'text_projection' } as const;
      const rename = (name: string) =>
        name
          .replace(/^(vision|text)\./, (_, side: keyof typeof sides) => `${sides[side]}.`)
          .replace(/\.p$/, '.weight')
          .replace(/\.h$/, '.residual.weight')
          .replace('.ln.', '.layer_norm.');
      const weights = Object.fromEntries(
        (['vision', 'text'] as const).flatMap((side) =>
          [...golden[side]!].map(([name, tensor]) => [rename(`${side}.${name}`), toTensor(tensor)]),
        ),
      );
      const inputs = toTensors(Object.fromEntries(golden.input!));
      const head = (features: tf.Tensor) => projectionHead(config, features.shape[1]!);
      const outputs: Record<string, tf.Tensor> = {};
      const { value, gradients } = valueAndGradients(
        (current) => {
          const ctx = createContext({ training: true });
          const image_embeds = head(inputs.image_features!).bind(current, sides.vision)(
            inputs.image_features!,
            ctx,
          );
          const text_embeds = head(inputs.text_features!).bind(current, sides.text)(
            inputs.text_features!,
            ctx,
          );
          const { loss, logits_per_text } = contrastiveLoss(image_embeds, text_embeds);
          Object.assign(outputs, { image_embeds, text_embeds, logits: logits_per_text });
          Object.values(outputs).forEach((tensor) => tf.keep(tensor));
          return loss;
        },
        weights,
        Object.keys(weights),
      );
      expect(worstDifference(read(outputs), golden.output!, 0).value).toBeLessThan(1e-5);
      const expected = new Map([...golden.grad!].map(([name, tensor]) => [rename(name), tensor]));
      expect(worstDifference(read(gradients), expected, 0).value).toBeLessThan(1e-4);
      const file = await SafetensorsFile.open(path);
      expect(value.dataSync()[0]).toBeCloseTo((await file.readFloat32('loss'))[0]!, 5);
      await file.close();
    },
  );
});

function toTensors(
  tensors: Readonly<Record<string, Parameters<typeof toTensor>[0]>>,
): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toTensor(tensor)]));
}

function read(tensors: Record<string, tf.Tensor>): Map<string, Float32Array> {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync<'float32'>()]));
}

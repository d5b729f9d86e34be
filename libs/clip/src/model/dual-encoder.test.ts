import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { dualEncoderSpecs, encodeImages, encodeTexts, logitsPerImage } from './dual-encoder.js';
import { valueAndGradients } from './gradients.js';
import { loadDualEncoder } from './load.js';
import { contrastiveLoss } from './loss.js';
import { largest, readSections, toTensor, worstDifference, type Section } from './parity/golden.js';
import { createContext } from './types.js';

const data = process.env.CLIP_TEST_DATA;

describe.skipIf(!data)('the dual encoder against transformers (needs CLIP_TEST_DATA)', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
  });

  it.each(['vit-roberta'])('%s: logits and gradients of the first training step', async (name) => {
    const folder = join(data!, 'golden/training', name);
    const { model, tensors } = await loadDualEncoder(folder);
    const golden = await readSections(join(folder, 'golden.safetensors'), ['batch0', 'step0', 'step0.grad']);
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
        const logits_per_image = logitsPerImage(current, image_embeds, text_embeds);
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
    const grads = golden['step0.grad']!;
    expect(grads.size).toBe(names.length);
    expect(worstDifference(read(gradients), grads, 1e-3 * largest(grads)).value).toBeLessThan(1e-4);
  });
});

function toTensors(
  tensors: Readonly<Record<string, Parameters<typeof toTensor>[0]>>,
): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toTensor(tensor)]));
}

function read(tensors: Record<string, tf.Tensor>): Map<string, Float32Array> {
  return new Map(Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync<'float32'>()]));
}

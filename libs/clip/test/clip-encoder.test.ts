/** Through the public API: a real checkpoint folder, images and texts in, embeddings and labels out. */
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ClipEncoder,
  ImageProcessor,
  labelPrompts,
  loadTokenizer,
  openCheckpoint,
  rankLabels,
  writeSafetensors,
} from '@clip-ts/clip';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDING_SIZE, IMAGE_SIZE, writeTinyCheckpoint, type TinyModel } from './tiny-checkpoint.js';

let root: string;
let folder: string;
let model: TinyModel;
let images: Buffer[];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clip-encoder-'));
  folder = join(root, 'checkpoint');
  await tf.setBackend('onnxruntime');
  model = await writeTinyCheckpoint(folder);
  images = await Promise.all(
    ['red', 'green', 'blue', 'white', 'black'].map((background) =>
      sharp({ create: { width: 20, height: 30, channels: 3, background } })
        .png()
        .toBuffer(),
    ),
  );
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** A copy of the checkpoint that `change` may damage. */
async function changed(name: string, change: (copy: string) => Promise<void>): Promise<string> {
  const copy = join(root, name);
  await cp(folder, copy, { recursive: true });
  await change(copy);
  return copy;
}

describe('ClipEncoder', () => {
  it('gives an image the same embedding whatever was encoded before it, beside it, or failed', async () => {
    const encoder = await ClipEncoder.load(folder);
    const expected = await encoder.encodeImages(images);
    const damaged = images[0]!.subarray(0, 60);
    const [all, , [one]] = await Promise.all([
      encoder.encodeImages(images),
      encoder.encodeImages([images[1]!, damaged, images[2]!]).catch((error: unknown) => error),
      encoder.encodeImages([images[3]!]),
    ]);
    expect(all).toEqual(expected);
    // Another batch size sums in another order.
    expect(dot(one!, expected[3]!)).toBeCloseTo(1, 5);
    const [last] = await encoder.encodeImages([images[4]!]);
    expect(dot(last!, expected[4]!)).toBeCloseTo(1, 5);
    await encoder.dispose();
  });

  it('gives the embeddings of the model in the TensorFlow.js API, in any batch size', async () => {
    const processor = await ImageProcessor.load(folder);
    const pixelValues = await Promise.all(images.map((image) => processor.pixelValues(image)));
    const texts = ['a red circle', 'a photo of a blue square', 'green'];
    const { input_ids, attention_mask, shape } = (await loadTokenizer(folder)).encode(texts);

    const expectedImages = await model
      .encodeImages(
        tf.stack(pixelValues.map((image) => tf.tensor3d(image, [3, IMAGE_SIZE, IMAGE_SIZE]))) as tf.Tensor4D,
      )
      .array();
    const expectedTexts = await model
      .encodeTexts(tf.tensor2d(input_ids, shape, 'int32'), tf.tensor2d(attention_mask, shape, 'int32'))
      .array();

    for (const batchSize of [1, 2, 32]) {
      const encoder = await ClipEncoder.load(folder, { batchSize });
      expect(encoder.embeddingSize).toBe(EMBEDDING_SIZE);
      expectClose(await encoder.encodeImages(images), expectedImages);
      expectClose(await encoder.encodePixelValues(pixelValues), expectedImages);
      expectClose(await encoder.encodeTexts(texts), expectedTexts);
      await encoder.dispose();
    }
  });

  it('gives unit vectors, also for empty and very long texts, and none for none', async () => {
    const encoder = await ClipEncoder.load(folder);
    const embeds = await encoder.encodeTexts(['', 'red '.repeat(5000), '🐶']);
    for (const embed of embeds) expect(dot(embed, embed)).toBeCloseTo(1, 6);
    expect(await encoder.encodeTexts([])).toEqual([]);
    expect(await encoder.encodeImages([])).toEqual([]);
    await encoder.dispose();
  });

  it('reads special tokens that a text spells as text unless told otherwise', async () => {
    const [asText, asToken] = await Promise.all(
      [false, true].map(async (parseSpecialTokens) => {
        const encoder = await ClipEncoder.load(folder, { parseSpecialTokens });
        const [embed] = await encoder.encodeTexts(['red [SEP] circle']);
        await encoder.dispose();
        return embed!;
      }),
    );
    expect(dot(asText!, asToken!)).toBeLessThan(0.9999);
  });

  it('names an image that cannot be decoded by its error code', async () => {
    const encoder = await ClipEncoder.load(folder, { maxImagePixels: 500 });
    await expect(encoder.encodeImages([Buffer.from('text')])).rejects.toMatchObject({
      code: 'IMAGE_FORMAT_UNSUPPORTED',
    });
    await expect(encoder.encodeImages([images[0]!])).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    await encoder.dispose();
  });

  it('classifies: the ranking is that of the cosines, and scores sum to 1', async () => {
    const encoder = await ClipEncoder.load(folder);
    const labels = ['red circle', 'blue square', 'green circle'];
    const [image] = await encoder.encodeImages([images[0]!]);
    const labelEmbeds = await encoder.encodeTexts(labelPrompts(labels, 'a photo of a {}'));
    const ranked = rankLabels(image!, labelEmbeds, labels, { logitScale: encoder.logitScale });
    const cosines = labelEmbeds.map((embed) => dot(image!, embed));
    const best = labels[cosines.indexOf(Math.max(...cosines))];
    expect(ranked[0]!.label).toBe(best);
    expect(ranked.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 10);
    await encoder.dispose();
  });
});

describe('openCheckpoint', () => {
  it('reads the learned logit_scale, and hashes what embeddings depend on', async () => {
    const { scoring, modelHash, config } = await openCheckpoint(folder);
    expect(scoring).toEqual({ logitScale: expect.closeTo(Math.exp(2.6592), 3) as number, source: 'weights' });
    expect(modelHash).toMatch(/^[0-9a-f]{64}$/);
    expect(config).toMatchObject({ model_type: 'vision-text-dual-encoder', projection_head: 'linear' });
    const same = await changed('card', (copy) => writeFile(join(copy, 'README.md'), '# card'));
    expect((await openCheckpoint(same)).modelHash).toBe(modelHash);
    const other = await changed('other', (copy) =>
      writeFile(join(copy, 'tokenizer_config.json'), '{"pad_token":"[PAD]"}'),
    );
    expect((await openCheckpoint(other)).modelHash).not.toBe(modelHash);
    const split = await changed('split', (copy) =>
      writeFile(join(copy, 'onnx/text_model.onnx_data'), 'weights'),
    );
    const splitHash = (await openCheckpoint(split)).modelHash;
    expect(splitHash).not.toBe(modelHash);
    await writeFile(join(split, 'onnx/text_model.onnx_data'), 'others');
    expect((await openCheckpoint(split)).modelHash).not.toBe(splitHash);
  });

  it('names every file that is missing, and what is there', async () => {
    const partial = await changed('partial', async (copy) => {
      await rm(join(copy, 'onnx/text_model.onnx'));
      await rm(join(copy, 'tokenizer.json'));
    });
    await expect(openCheckpoint(partial)).rejects.toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
    await expect(openCheckpoint(partial)).rejects.toThrow('lacks tokenizer.json, onnx/text_model.onnx');
    await expect(openCheckpoint(partial)).rejects.toThrow('onnx/vision_model.onnx');
    await expect(openCheckpoint(folder, { precision: 'q8' })).rejects.toThrow(
      'onnx/vision_model_quantized.onnx',
    );
    await expect(openCheckpoint(join(root, 'nowhere'))).rejects.toThrow('there is no checkpoint folder');
  });

  it('takes the most exact models that are there, and the image processor of transformers 5', async () => {
    const quantized = await changed('quantized', async (copy) => {
      for (const tower of ['vision', 'text']) {
        await rename(
          join(copy, `onnx/${tower}_model.onnx`),
          join(copy, `onnx/${tower}_model_quantized.onnx`),
        );
      }
      const processor = join(copy, 'preprocessor_config.json');
      const image_processor: unknown = JSON.parse(await readFile(processor, 'utf8'));
      await writeFile(join(copy, 'processor_config.json'), JSON.stringify({ image_processor }));
      await rm(processor);
    });
    const checkpoint = await openCheckpoint(quantized);
    expect(checkpoint.textModel).toBe(join(quantized, 'onnx/text_model_quantized.onnx'));
    expect((await ImageProcessor.load(quantized)).plan).toEqual((await ImageProcessor.load(folder)).plan);
    await writeFile(join(quantized, 'onnx/text_model_fp16.onnx'), '');
    expect((await openCheckpoint(quantized)).textModel).toBe(checkpoint.textModel);
    await writeFile(join(quantized, 'processor_config.json'), '{"processor_class":"CLIPProcessor"}');
    await expect(ImageProcessor.load(quantized)).rejects.toThrow('does not say how images are prepared');
  });

  it('names every field of config.json that is wrong', async () => {
    const withConfig = (name: string, config: object) =>
      changed(name, (copy) => writeFile(join(copy, 'config.json'), JSON.stringify(config)));
    const missing = await withConfig('fields', {
      model_type: 'vision-text-dual-encoder',
      projection_head: 'cubic',
    });
    await expect(openCheckpoint(missing)).rejects.toThrow(
      /vision_config: .*text_config: .*projection_dim: .*projection_head: /,
    );
    const other = await withConfig('gpt2', { model_type: 'gpt2' });
    await expect(openCheckpoint(other)).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED', found: '"gpt2"' });
  });

  it('says what a damaged model or weights file is', async () => {
    const onnx = await changed('onnx', async (copy) => {
      const bytes = await readFile(join(copy, 'onnx/vision_model.onnx'));
      await writeFile(join(copy, 'onnx/vision_model.onnx'), bytes.subarray(0, 1000));
    });
    await expect(ClipEncoder.load(onnx)).rejects.toMatchObject({ code: 'ONNX_INVALID' });
    const swapped = await changed('swapped', (copy) =>
      cp(join(copy, 'onnx/text_model.onnx'), join(copy, 'onnx/vision_model.onnx')),
    );
    await expect(ClipEncoder.load(swapped)).rejects.toThrow('does not take pixel_values: found input_ids');
    const weights = await changed('weights', (copy) => writeFile(join(copy, 'model.safetensors'), '{}'));
    await expect(openCheckpoint(weights)).rejects.toMatchObject({ code: 'SAFETENSORS_INVALID' });
    const size = await changed('size', async (copy) => {
      await writeFile(
        join(copy, 'preprocessor_config.json'),
        '{"size":24,"image_processor_type":"ViTImageProcessor"}',
      );
    });
    await expect(ClipEncoder.load(size)).rejects.toThrow('expected 16 × 16, found 24 × 24');
  });

  it('takes the folders of transformers.js: scale from the weights, config.json, or as published', async () => {
    const clip = await changed('clip', async (copy) => {
      await rm(join(copy, 'model.safetensors'));
      await writeFile(join(copy, 'config.json'), '{"model_type":"clip","projection_dim":12}');
    });
    expect((await openCheckpoint(clip)).scoring).toEqual({ logitScale: 100, source: 'published' });
    await writeFile(join(clip, 'config.json'), '{"model_type":"siglip","logit_scale":2,"logit_bias":-9}');
    expect((await openCheckpoint(clip)).scoring).toEqual({
      logitScale: Math.exp(2),
      logitBias: -9,
      source: 'config',
    });
    await writeSafetensors(join(clip, 'model.safetensors'), [
      { name: 'logit_scale', dtype: 'F32', shape: [1], data: new Float32Array([Math.log(50)]) },
      { name: 'logit_bias', dtype: 'F32', shape: [1], data: new Float32Array([-10]) },
    ]);
    const { logitScale, logitBias } = (await openCheckpoint(clip)).scoring;
    expect([logitScale, logitBias]).toEqual([expect.closeTo(50, 4), -10]);

    const unknown = await changed('unknown', (copy) => rm(join(copy, 'model.safetensors')));
    await expect(openCheckpoint(unknown)).rejects.toThrow('add "logit_scale" to config.json');
  });
});

function expectClose(actual: readonly Float32Array[], expected: readonly number[][]): void {
  expect(actual).toHaveLength(expected.length);
  const differences = actual.map((row, b) =>
    Math.max(...row.map((value, i) => Math.abs(value - expected[b]![i]!))),
  );
  expect(Math.max(...differences)).toBeLessThanOrEqual(1e-5);
}

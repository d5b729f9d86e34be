/**
 * transformers.js (a development dependency) opens our checkpoint folders as they are, without a network: the same
 * token ids, pixel values and embeddings. Our own tokenizer is the library inside it; docs/decisions/001 says why.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClipEncoder, ImageProcessor, loadTokenizer } from '@clip-ts/clip';
import {
  AutoImageProcessor,
  AutoProcessor,
  AutoTokenizer,
  CLIPTextModelWithProjection,
  CLIPVisionModelWithProjection,
  env,
  load_image,
  type Tensor,
} from '@huggingface/transformers';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import 'tfjs-onnxruntime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMBEDDING_SIZE, IMAGE_SIZE, writeTinyCheckpoint } from './tiny-checkpoint.js';

const NAME = 'checkpoint';
/** All shorter than the limit: transformers.js cuts a longer text's last token, which is the end token. */
const TEXTS = ['a photo of a red circle', 'Blue  SQUARE, green circle!', 'a zebra', ''];

let root: string;
let folder: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clip-transformers-js-'));
  folder = join(root, NAME);
  await tf.setBackend('onnxruntime');
  await writeTinyCheckpoint(folder);
  env.allowRemoteModels = false;
  env.localModelPath = root;
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** A PNG of a smooth picture: red grows to the right, green downwards. */
async function gradientImage(width: number, height: number): Promise<string> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return [(255 * x) / width, (255 * y) / height, 90][i % 3]!;
  });
  const file = join(root, `${width}x${height}.png`);
  await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(file);
  return file;
}

function largestDifference(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(actual.length).toBe(wanted.length);
  return Array.from(wanted).reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
}

const numbersOf = ({ data }: Tensor) => Array.from(data as BigInt64Array, Number);
const concatenate = (rows: readonly Float32Array[]) => rows.flatMap((row) => [...row]);

describe('transformers.js on a checkpoint folder of ours', () => {
  it('its tokenizer gives the same ids and the same padding', async () => {
    const theirs = await AutoTokenizer.from_pretrained(NAME);
    const ours = await loadTokenizer(folder);
    const expected = theirs(TEXTS, { padding: true, truncation: true }) as Record<string, Tensor>;
    const { input_ids, attention_mask, shape } = ours.encode(TEXTS);
    expect(shape).toEqual(expected.input_ids!.dims);
    expect([...input_ids]).toEqual(numbersOf(expected.input_ids!));
    expect([...attention_mask]).toEqual(numbersOf(expected.attention_mask!));
  });

  it.each([
    ['AutoImageProcessor', AutoImageProcessor],
    ['AutoProcessor', AutoProcessor],
  ])(
    'its %s gives the same pixels where nothing is resized, close ones where sharp resizes',
    async (_, auto) => {
      const theirs = await auto.from_pretrained(NAME);
      const ours = await ImageProcessor.load(folder);
      const pixelsOfBoth = async (side: number) => {
        const file = await gradientImage(side, side);
        const { pixel_values } = (await theirs(await load_image(file))) as { pixel_values: Tensor };
        expect(pixel_values.dims).toEqual([1, 3, IMAGE_SIZE, IMAGE_SIZE]);
        return [pixel_values.data as Float32Array, await ours.pixelValues(file)] as const;
      };
      expect(largestDifference(...(await pixelsOfBoth(IMAGE_SIZE)))).toBeLessThan(1e-6);
      expect(largestDifference(...(await pixelsOfBoth(3 * IMAGE_SIZE)))).toBeLessThan(0.1);
    },
  );

  it('its CLIP models run the two ONNX files and give the embeddings of ClipEncoder', async () => {
    const encoder = await ClipEncoder.load(folder);
    const tokenizer = await AutoTokenizer.from_pretrained(NAME);
    const textModel = await CLIPTextModelWithProjection.from_pretrained(NAME, { dtype: 'fp32' });
    const inputs = tokenizer(TEXTS, { padding: true, truncation: true }) as object;
    const { text_embeds } = (await textModel(inputs)) as { text_embeds: Tensor };
    expect(text_embeds.dims).toEqual([TEXTS.length, EMBEDDING_SIZE]);
    const texts = concatenate(await encoder.encodeTexts(TEXTS));
    expect(largestDifference(text_embeds.data as Float32Array, texts)).toBeLessThan(1e-4);

    const processor = await AutoImageProcessor.from_pretrained(NAME);
    const visionModel = await CLIPVisionModelWithProjection.from_pretrained(NAME, { dtype: 'fp32' });
    const file = await gradientImage(IMAGE_SIZE, IMAGE_SIZE);
    const pixels = (await processor(await load_image(file))) as object;
    const { image_embeds } = (await visionModel(pixels)) as { image_embeds: Tensor };
    expect(image_embeds.dims).toEqual([1, EMBEDDING_SIZE]);
    const images = concatenate(await encoder.encodeImages([file]));
    expect(largestDifference(image_embeds.data as Float32Array, images)).toBeLessThan(1e-4);
    await Promise.all([encoder.dispose(), textModel.dispose(), visionModel.dispose()]);
  });
});

/**
 * Adds onnx/vision_model.onnx and onnx/text_model.onnx to a checkpoint: the encoders' forward pass in evaluation mode,
 * written by the engine, with dynamic batch (and sequence). Nothing is added unless ONNX Runtime then gives the same
 * embeddings as the trainer.
 */
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { ClipEncoder } from '@clip-ts/clip';
import { createContext, encodeImages, encodeTexts } from '@clip-ts/clip/model';
import { embeddingProgram, float32, toTensors } from '@clip-ts/clip/train';
import { openBackend, type Backend } from '../backend.js';
import { addToCheckpoint } from '../checkpoint/write-checkpoint.js';
import { captionBatch, tokenizeCaptions } from '../data/caption-store.js';
import { InputError, TrainingError } from '../errors.js';
import { reopenModel, type AssembledModel } from '../model/assemble.js';
import { createRandom } from '../random.js';
import { splitRows } from '../train/train-step.js';

const VISION_FILE = 'onnx/vision_model.onnx';
const TEXT_FILE = 'onnx/text_model.onnx';

/** Largest difference of an embedding's number that counts as the same. */
const TOLERANCE = 1e-4;
const IMAGES = 3;
const TEXTS = ['a photo of a dog', 'two people on a red bicycle', 'blue'];

export const isExported = async (folder: string): Promise<boolean> => {
  const found = [VISION_FILE, TEXT_FILE].map((name) => access(path.join(folder, name)));
  return Promise.all(found).then(
    () => true,
    () => false,
  );
};

/**
 * Exports, compares, adds. `backend` computes the embeddings to compare with.
 * @returns the largest absolute difference of an embedding's numbers
 */
export async function exportCheckpoint(folder: string, backend: Backend): Promise<{ difference: number }> {
  await access(path.join(folder, 'config.json')).catch(() => {
    throw new InputError(`--checkpoint ${folder}: no config.json there; train one with: trainer pretrain`);
  });
  const assembled = await reopenModel(folder);
  const expected = await trainerEmbeddings(assembled, backend);
  const models = await exportModels(assembled);
  let difference = Infinity;
  await addToCheckpoint(folder, async (temporary) => {
    await mkdir(path.join(temporary, 'onnx'), { recursive: true });
    await writeFile(path.join(temporary, VISION_FILE), models.vision);
    await writeFile(path.join(temporary, TEXT_FILE), models.text);
    difference = await compare(temporary, expected);
    if (difference <= TOLERANCE) return;
    throw new TrainingError(
      `the exported ONNX models give other embeddings than the trainer: ${difference} apart, at most ${TOLERANCE} allowed; ` +
        'the checkpoint stays as it was',
    );
  });
  return { difference };
}

async function exportModels({
  model,
  weights,
  processor,
}: AssembledModel): Promise<{ vision: Uint8Array; text: Uint8Array }> {
  const { exportOnnx } = await import('tfjs-onnxruntime');
  const previous = tf.getBackend();
  await openBackend('onnxruntime', 'cpu', () => undefined);
  const tensors = toTensors(weights);
  try {
    const tokens = { shape: ['batch', 'sequence'], dtype: 'int64' as const };
    return {
      vision: await exportOnnx(
        ({ pixel_values }) => ({
          image_embeds: encodeImages(model, tensors, pixel_values!, createContext()),
        }),
        {
          inputs: {
            pixel_values: { shape: ['batch', 3, processor.height, processor.width], dtype: 'float32' },
          },
        },
      ),
      text: await exportOnnx(
        ({ input_ids, attention_mask }) => ({
          text_embeds: encodeTexts(model, tensors, input_ids!, attention_mask, createContext()),
        }),
        { inputs: { input_ids: tokens, attention_mask: tokens } },
      ),
    };
  } finally {
    tf.dispose(tensors);
    await tf.setBackend(previous);
  }
}

interface Embeddings {
  /** What was embedded: [3, H, W] each. */
  pixels: Float32Array[];
  images: Float32Array[];
  texts: Float32Array[];
}

async function trainerEmbeddings(assembled: AssembledModel, backend: Backend): Promise<Embeddings> {
  const { model, weights, tokenizer, processor, maximumLength, minimumLength } = assembled;
  const { height, width } = processor;
  const random = createRandom(IMAGES);
  const pixels = Array.from({ length: IMAGES }, () =>
    processor.normalize(Uint8Array.from({ length: height * width * 3 }, () => random.bits() & 255)),
  );
  const values = new Float32Array(IMAGES * pixels[0]!.length);
  pixels.forEach((image, index) => values.set(image, index * image.length));
  const captions = tokenizeCaptions([TEXTS], tokenizer, maximumLength, minimumLength);
  const runner = backend.createRunner(embeddingProgram(model), weights);
  try {
    const pixel_values = float32(values, [IMAGES, 3, height, width]);
    const { image_embeds } = await runner.run.embedImages({ pixel_values });
    const { text_embeds } = await runner.run.embedTexts(captionBatch(captions, [...TEXTS.keys()]));
    return { pixels, images: splitRows(image_embeds), texts: splitRows(text_embeds) };
  } finally {
    runner.dispose();
  }
}

/** Largest absolute difference between the folder's ONNX models and the trainer's embeddings. */
async function compare(folder: string, { pixels, images, texts }: Embeddings): Promise<number> {
  const encoder = await ClipEncoder.load(folder);
  try {
    const found = [...(await encoder.encodePixelValues(pixels)), ...(await encoder.encodeTexts(TEXTS))];
    const expected = [...images, ...texts];
    return found.reduce(
      (worst, row, i) =>
        row.reduce((most, value, e) => Math.max(most, Math.abs(value - expected[i]![e]!)), worst),
      0,
    );
  } finally {
    await encoder.dispose();
  }
}

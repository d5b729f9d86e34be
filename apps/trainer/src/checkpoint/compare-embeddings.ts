/** Embeds a few images and texts with the trainer's program and with a folder's ONNX models. E embedding. */
import { ClipEncoder } from '@clip-ts/clip';
import { embeddingProgram, float32, splitRows } from '@clip-ts/clip/train';
import type { Backend } from '../backend/open-backend.js';
import { captionBatch, tokenizeCaptions } from '../data/caption-store.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { createRandom } from '../random.js';

const IMAGES = 3;
const TEXTS = ['a photo of a dog', 'two people on a red bicycle', 'blue'];

export interface ReferenceEmbeddings {
  /** The images, random noise: [3, H, W] each. */
  pixels: Float32Array[];
  /** Their embeddings, [E] each. */
  images: Float32Array[];
  /** Embeddings of TEXTS, [E] each. */
  texts: Float32Array[];
}

/** The embeddings that the trainer's program gives on a backend. */
export async function referenceEmbeddings(
  assembled: AssembledModel,
  backend: Backend,
): Promise<ReferenceEmbeddings> {
  const { model, weights, tokenizer, processor } = assembled;
  const { height, width } = processor;
  const random = createRandom(IMAGES);
  const pixels = Array.from({ length: IMAGES }, () =>
    processor.normalize(Uint8Array.from({ length: height * width * 3 }, () => random.bits() & 255)),
  );
  const values = new Float32Array(IMAGES * pixels[0]!.length);
  pixels.forEach((image, index) => values.set(image, index * image.length));
  const pixel_values = float32(values, [IMAGES, 3, height, width]);
  const captions = tokenizeCaptions([TEXTS], tokenizer, assembled);
  const runner = backend.createRunner(embeddingProgram(model), weights);
  try {
    const { image_embeds } = await runner.run.embedImages({ pixel_values });
    const { text_embeds } = await runner.run.embedTexts(captionBatch(captions, [...TEXTS.keys()]));
    return { pixels, images: splitRows(image_embeds), texts: splitRows(text_embeds) };
  } finally {
    runner.dispose();
  }
}

/** Largest absolute difference of an embedding's number between a folder's ONNX models and the reference. */
export async function largestDifference(folder: string, reference: ReferenceEmbeddings): Promise<number> {
  const { pixels, images, texts } = reference;
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

/**
 * A real checkpoint of a few kilobytes that knows colours: an image's embedding is its mean colour, a text's is
 * the sum of the colours it names, both with a small constant so that grey has a direction too. E = 4.
 * It goes through the same tokenizer, preprocessing and ONNX Runtime as a trained one.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vitProcessor, wordLevelTokenizer } from '@clip-ts/clip';
import { FLOAT, FLOAT16, INT64, onnxFile } from './onnx-file.js';

export const EMBEDDING_SIZE = 4;
export const IMAGE_SIZE = 16;
const CONSTANT = 0.1;

/** Colours by name, each channel −1 to 1. */
export const COLOURS: Record<string, [number, number, number]> = {
  red: [1, -1, -1],
  green: [-1, 1, -1],
  blue: [-1, -1, 1],
  yellow: [1, 1, -1],
  cyan: [-1, 1, 1],
  magenta: [1, -1, 1],
  white: [1, 1, 1],
  black: [-1, -1, -1],
};
const IMAGE_PROCESSOR = vitProcessor(IMAGE_SIZE);
const WORDS = ['[PAD]', '[UNK]', ...Object.keys(COLOURS)];

/**
 * Writes the checkpoint. `gain` scales the colours, which makes another model with another hash; `published` writes what
 * transformers 5 and transformers.js publish: processor_config.json, and only models whose images are half precision.
 */
export async function writeTinyCheckpoint(
  folder: string,
  { gain = 1, published = false } = {},
): Promise<string> {
  await mkdir(join(folder, 'onnx'), { recursive: true });
  const files: Record<string, string | Buffer> = {
    'config.json': JSON.stringify({
      model_type: 'vision-text-dual-encoder',
      projection_dim: EMBEDDING_SIZE,
      logit_scale: Math.log(20),
      vision_config: { model_type: 'vit' },
      text_config: { model_type: 'bert', max_position_embeddings: 32 },
    }),
    ...(published
      ? { 'processor_config.json': JSON.stringify({ image_processor: IMAGE_PROCESSOR }) }
      : { 'preprocessor_config.json': JSON.stringify(IMAGE_PROCESSOR) }),
    'tokenizer.json': JSON.stringify(tokenizer()),
    'tokenizer_config.json': JSON.stringify({
      tokenizer_class: 'PreTrainedTokenizerFast',
      pad_token: '[PAD]',
      unk_token: '[UNK]',
      model_max_length: 32,
    }),
    [`onnx/vision_model${published ? '_fp16' : ''}.onnx`]: visionModel(gain, published ? FLOAT16 : FLOAT),
    [`onnx/text_model${published ? '_fp16' : ''}.onnx`]: textModel(gain),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

const tokenizer = () =>
  wordLevelTokenizer({
    tokens: WORDS,
    special: ['[PAD]', '[UNK]'],
    unknown: '[UNK]',
    normalizer: { type: 'Lowercase' },
    preTokenizer: { type: 'Whitespace' },
  });

/** [B, 3, 16, 16] → mean over the pixels [B, 3] × [3, 4] + constant → [B, 4] */
function visionModel(gain: number, type: number): Buffer {
  return onnxFile({
    inputs: [{ name: 'pixel_values', type, shape: ['batch', 3, IMAGE_SIZE, IMAGE_SIZE] }],
    outputs: [{ name: 'image_embeds', type, shape: ['batch', EMBEDDING_SIZE] }],
    constants: [
      {
        name: 'weight',
        shape: [3, 4],
        data: Float32Array.from([gain, 0, 0, 0, 0, gain, 0, 0, 0, 0, gain, 0]),
      },
      { name: 'bias', shape: [4], data: Float32Array.from([0, 0, 0, CONSTANT]) },
    ],
    nodes: [
      { op: 'Cast', inputs: ['pixel_values'], outputs: ['pixels'], attributes: { to: FLOAT } },
      { op: 'GlobalAveragePool', inputs: ['pixels'], outputs: ['pooled'] },
      { op: 'Flatten', inputs: ['pooled'], outputs: ['mean'], attributes: { axis: 1 } },
      { op: 'MatMul', inputs: ['mean', 'weight'], outputs: ['projected'] },
      { op: 'Add', inputs: ['projected', 'bias'], outputs: ['embeds'] },
      { op: 'Cast', inputs: ['embeds'], outputs: ['image_embeds'], attributes: { to: type } },
    ],
  });
}

/** [B, T] → colours of the words [B, T, 4], summed over T → [B, 4] */
function textModel(gain: number): Buffer {
  const table = WORDS.flatMap((word) => [...(COLOURS[word] ?? [0, 0, 0]).map((value) => value * gain), 0]);
  return onnxFile({
    inputs: [{ name: 'input_ids', type: INT64, shape: ['batch', 'tokens'] }],
    outputs: [{ name: 'text_embeds', type: FLOAT, shape: ['batch', EMBEDDING_SIZE] }],
    constants: [
      { name: 'table', shape: [WORDS.length, 4], data: Float32Array.from(table) },
      { name: 'bias', shape: [4], data: Float32Array.from([0, 0, 0, CONSTANT]) },
      { name: 'axes', shape: [1], data: BigInt64Array.of(1n) },
    ],
    nodes: [
      { op: 'Gather', inputs: ['table', 'input_ids'], outputs: ['words'] },
      { op: 'ReduceSum', inputs: ['words', 'axes'], outputs: ['sum'], attributes: { keepdims: 0 } },
      { op: 'Add', inputs: ['sum', 'bias'], outputs: ['text_embeds'] },
    ],
  });
}

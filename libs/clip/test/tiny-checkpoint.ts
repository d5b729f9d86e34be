/**
 * A real but tiny checkpoint for tests: a ViT and a BERT of one layer with random weights, their ONNX models
 * exported by the engine, a word-level tokenizer, a preprocessor. A second or so to make, about 100 KB.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { vitProcessor, wordLevelTokenizer } from '@clip-ts/clip';
import {
  createContext,
  createDualEncoder,
  dualEncoderSpecs,
  encodeImages,
  encodeTexts,
  initWeights,
  saveWeights,
  type HostTensor,
  type Weights,
} from '@clip-ts/clip/model';
import { exportOnnx } from 'tfjs-onnxruntime';

export const IMAGE_SIZE = 16;
export const EMBEDDING_SIZE = 12;
export const WORDS = ['a', 'photo', 'of', 'red', 'green', 'blue', 'circle', 'square'];
const SPECIALS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'];

const CONFIG = {
  model_type: 'vision-text-dual-encoder',
  projection_dim: EMBEDDING_SIZE,
  logit_scale_init_value: 2.6592,
  vision_config: {
    model_type: 'vit',
    image_size: IMAGE_SIZE,
    patch_size: 8,
    num_channels: 3,
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    initializer_range: 0.4,
  },
  text_config: {
    model_type: 'bert',
    vocab_size: SPECIALS.length + WORDS.length,
    hidden_size: 16,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    initializer_range: 0.4,
    max_position_embeddings: 12,
    pad_token_id: 0,
  },
};

/** The tower in the TensorFlow.js API, to compare the ONNX models with. */
export interface TinyModel {
  encodeImages(pixelValues: tf.Tensor4D): tf.Tensor2D;
  encodeTexts(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor2D;
}

/** Fills `folder` with the checkpoint. */
export async function writeTinyCheckpoint(folder: string): Promise<TinyModel> {
  await mkdir(join(folder, 'onnx'), { recursive: true });
  const model = createDualEncoder(CONFIG);
  const specs = dualEncoderSpecs(model);
  const host = initWeights(specs, 7);
  await saveWeights(folder, specs, host);
  const fn: TinyModel = {
    encodeImages: (pixels) => tf.tidy(() => encodeImages(model, weightsOf(host), pixels, createContext())),
    encodeTexts: (ids, mask) =>
      tf.tidy(() => encodeTexts(model, weightsOf(host), ids, mask, createContext())),
  };
  const vision = await exportOnnx(
    ({ pixel_values }) => ({ image_embeds: fn.encodeImages(pixel_values as tf.Tensor4D) }),
    { inputs: { pixel_values: { shape: ['batch', 3, IMAGE_SIZE, IMAGE_SIZE], dtype: 'float32' } } },
  );
  const text = await exportOnnx(
    ({ input_ids, attention_mask }) => ({
      text_embeds: fn.encodeTexts(input_ids as tf.Tensor2D, attention_mask as tf.Tensor2D),
    }),
    {
      inputs: {
        input_ids: { shape: ['batch', 'tokens'], dtype: 'int64' },
        attention_mask: { shape: ['batch', 'tokens'], dtype: 'int64' },
      },
    },
  );
  await writeFile(join(folder, 'onnx/vision_model.onnx'), vision);
  await writeFile(join(folder, 'onnx/text_model.onnx'), text);
  const json = (name: string, content: object) => writeFile(join(folder, name), JSON.stringify(content));
  await json('config.json', CONFIG);
  await json('preprocessor_config.json', vitProcessor(IMAGE_SIZE));
  await json('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_max_length: 10,
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
  });
  const tokenizer = wordLevelTokenizer({
    tokens: [...SPECIALS, ...WORDS],
    special: SPECIALS,
    unknown: '[UNK]',
    normalizer: { type: 'Lowercase' },
    preTokenizer: { type: 'Whitespace' },
    template: { before: '[CLS]', after: '[SEP]' },
  });
  await json('tokenizer.json', tokenizer);
  return fn;
}

function weightsOf(host: Readonly<Record<string, HostTensor>>): Weights {
  const entries = Object.entries(host).filter(([, { dtype }]) => dtype === 'float32');
  return Object.fromEntries(
    entries.map(([name, { data, shape, dtype }]) => [name, tf.tensor(data, [...shape], dtype)]),
  );
}

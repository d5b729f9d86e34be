/**
 * A folder in the layout of transformers.js with the size of CLIP ViT-B/32 and random weights, for timings that depend on
 * sizes alone: ViT-B/32 for images, a text tower as large as DistilRoBERTa, 512 values an embedding.
 *
 *   node bench/serve/vit-b32-folder.mjs FOLDER [--small-text]
 *
 * With --small-text the text tower has two layers of 256, for what counts requests and not their computing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { wordLevelTokenizer } from '@clip-ts/clip';
import { createContext, createTextTower, createVisionTower, initWeights } from '@clip-ts/clip/model';
import { exportOnnx } from 'tfjs-onnxruntime';
import { IMAGE_SIZE, TOWERS } from '../forward/towers.mjs';

/** Values of an embedding, and of the towers' output. */
const E = 512;
const WORDS = 5000;

const [folder = '', option] = process.argv.slice(2);
await tf.setBackend('onnxruntime');
await mkdir(join(folder, 'onnx'), { recursive: true });
const pixels = { shape: ['batch', 3, IMAGE_SIZE, IMAGE_SIZE], dtype: /** @type {const} */ ('float32') };
const tokens = { shape: ['batch', 'sequence'], dtype: /** @type {const} */ ('int64') };
const vision = createVisionTower(configOf('vision.vit_b32'));
const small = { hidden_size: 256, num_hidden_layers: 2, num_attention_heads: 4, intermediate_size: 1024 };
const textConfig = { ...configOf('text.distilroberta'), ...(option === '--small-text' && small) };
const text = createTextTower(textConfig);
const context = () => createContext({ training: false });
/** @param {tf.NamedTensorMap} weights @param {tf.NamedTensorMap} inputs */
const seeing = (weights, { pixel_values }) =>
  vision.forward(weights, { pixel_values: /** @type {tf.Tensor4D} */ (pixel_values) }, context());
/** @param {tf.NamedTensorMap} weights @param {tf.NamedTensorMap} inputs */
const reading = (weights, { input_ids, attention_mask }) =>
  text.forward(weights, { input_ids: /** @type {tf.Tensor2D} */ (input_ids), attention_mask }, context());
const files = {
  'onnx/vision_model.onnx': await exported(vision, seeing, 'image_embeds', configOf('vision.vit_b32'), {
    pixel_values: pixels,
  }),
  'onnx/text_model.onnx': await exported(text, reading, 'text_embeds', textConfig, {
    input_ids: tokens,
    attention_mask: tokens,
  }),
  'config.json': JSON.stringify({
    model_type: 'vision-text-dual-encoder',
    projection_dim: E,
    logit_scale: Math.log(20),
    vision_config: { model_type: 'vit' },
    text_config: { model_type: 'roberta', max_position_embeddings: 514 },
  }),
  'preprocessor_config.json': JSON.stringify({
    image_processor_type: 'CLIPImageProcessor',
    do_resize: true,
    size: { shortest_edge: IMAGE_SIZE },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: IMAGE_SIZE, width: IMAGE_SIZE },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.48145466, 0.4578275, 0.40821073],
    image_std: [0.26862954, 0.26130258, 0.27577711],
  }),
  'tokenizer.json': JSON.stringify(tokenizer()),
  'tokenizer_config.json': JSON.stringify({
    tokenizer_class: 'PreTrainedTokenizerFast',
    pad_token: '<pad>',
    unk_token: '<unk>',
    model_max_length: 77,
  }),
};
for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);

/** @param {string} name */
function configOf(name) {
  const tower = TOWERS[name];
  if (tower === undefined) throw new Error(`there is no tower ${name}`);
  return tower.config;
}

/**
 * The tower and a projection to E values.
 * @param {{ specs: ReturnType<typeof createVisionTower>['specs'] }} tower
 * @param {(weights: tf.NamedTensorMap, inputs: tf.NamedTensorMap) => object} run its forward pass
 * @param {string} output
 * @param {Record<string, unknown>} config of the tower
 * @param {import('tfjs-onnxruntime').ExportSpec['inputs']} inputs
 */
async function exported({ specs: all }, run, output, config, inputs) {
  const D = Number(config.hidden_size);
  const specs = all.filter((spec) => spec.dtype !== 'int64');
  const weights = Object.fromEntries(
    Object.entries(initWeights(specs, 1)).map(([name, { data, shape }]) => [
      name,
      tf.tensor(data, [...shape]),
    ]),
  );
  const projection = tf.randomNormal([D, E], 0, D ** -0.5, 'float32', 1);
  const model = await exportOnnx(
    (given) => {
      const { pooler_output } = /** @type {{ pooler_output: tf.Tensor2D }} */ (run(weights, given));
      return { [output]: tf.matMul(pooler_output, projection) };
    },
    { inputs },
  );
  tf.dispose([projection, weights]);
  return model;
}

/** Words w0, w1, …: one token each. */
function tokenizer() {
  const special = ['<s>', '<pad>', '</s>', '<unk>'];
  return wordLevelTokenizer({
    tokens: [...special, ...Array.from({ length: WORDS }, (_, n) => `w${n}`)],
    special,
    unknown: '<unk>',
    normalizer: null,
    preTokenizer: { type: 'Whitespace' },
  });
}

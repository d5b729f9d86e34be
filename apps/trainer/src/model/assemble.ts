/**
 * Puts a dual encoder together from model_config.json: each tower from a hub id or folder with its pretrained weights,
 * tokenizer and image processor, or from an inline config with random weights; the heads always start at random.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ImageProcessor, loadTokenizer, resolveModelFolder, type Tokenizer } from '@clip-ts/clip';
import {
  createDualEncoder,
  dualEncoderSpecs,
  initWeights,
  loadDualEncoder,
  loadTextTower,
  loadVisionTower,
  readConfig,
  type DualEncoder,
  type TensorSpec,
} from '@clip-ts/clip/model';
import { scalar, type HostTensors } from '@clip-ts/clip/train';
import type { ModelConfig } from '../config/model-config.js';
import { InputError } from '../errors.js';
import { BOS_ID, buildWordLevelTokenizer, EOS_ID, longestLength, PAD_ID } from '../tokenizer/word-level.js';

/** CLIP's start: ln(1 / 0.07). */
const LOGIT_SCALE_START = 2.6592;

/** Image towers whose configs have no `hidden_size`, which Python's VisionTextDualEncoderModel asks for. */
const NAMELESS_WIDTH = new Set(['convnext', 'mobilenet_v2', 'resnet']);

/** Text towers that embed which of two texts a token is of. */
const SEGMENTED = new Set(['bert', 'roberta', 'xlm-roberta']);

/** Files of a checkpoint that training does not change. */
const TOKENIZER_FILES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
] as const;
const DOWNLOAD_REPORT_MS = 5000;
const PROCESSOR_FILE = 'preprocessor_config.json';

export interface AssembledModel {
  model: DualEncoder;
  specs: TensorSpec[];
  /** config.json of the checkpoint. */
  configJson: Record<string, unknown>;
  /** Initial weights by checkpoint name. */
  weights: HostTensors;
  tokenizer: Tokenizer;
  processor: ImageProcessor;
  /** Tokens that a caption may have, special tokens included. */
  maximumLength: number;
  /** Tokens that batches of captions are padded to at least. */
  minimumLength: number;
  /** File name → content of the tokenizer's and processor's files. */
  assets: Record<string, string>;
}

export interface AssembleOptions {
  config: ModelConfig;
  configFile: string;
  /** All captions, for the vocabulary and the length. */
  corpus: readonly string[];
  seed: number;
  /** Folder for the tokenizer's and processor's files while training runs. */
  assetFolder: string;
  report: (line: string) => void;
}

/** A tower's half of config.json, and its weights unless it starts at random. */
interface Half {
  config: Record<string, unknown>;
  tensors?: HostTensors;
  assets: Record<string, string>;
}

async function readAssets(folder: string, names: readonly string[]): Promise<Record<string, string>> {
  const assets: Record<string, string> = {};
  for (const name of names) {
    const content = await readFile(path.join(folder, name), 'utf8').catch(() => undefined);
    if (content !== undefined) assets[name] = content;
  }
  return assets;
}

/** The folder of a pretrained tower; says how far a download is, every few seconds. */
async function backboneFolder(backbone: string, report: (line: string) => void): Promise<string> {
  let next = Date.now() + DOWNLOAD_REPORT_MS;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  return resolveModelFolder(backbone, {
    files: 'weights',
    onProgress: ({ file, receivedBytes, totalBytes }) => {
      if (Date.now() < next) return;
      next = Date.now() + DOWNLOAD_REPORT_MS;
      report(`${backbone}: ${megabytes(receivedBytes)} of ${megabytes(totalBytes)} MB (${file})`);
    },
  });
}

async function visionHalf({ config, seed, report }: AssembleOptions): Promise<Half> {
  const { vision_backbone: backbone } = config;
  if (typeof backbone !== 'string') {
    return { config: backbone, assets: { [PROCESSOR_FILE]: processorOf(backbone) } };
  }
  const folder = await backboneFolder(backbone, report);
  const { config: towerConfig, tensors } = await loadVisionTower(folder, { seed, onWarning: report });
  const assets = await readAssets(folder, [PROCESSOR_FILE]);
  if (!assets[PROCESSOR_FILE]) throw new InputError(`vision_backbone ${backbone} has no ${PROCESSOR_FILE}`);
  report(`vision_backbone ${backbone}: pretrained weights`);
  return { config: towerConfig, tensors: tensors, assets };
}

/** The usual processor of a ViT: stretched to the square that the tower takes, values in [−1, 1]. */
function processorOf(vision: Record<string, unknown>): string {
  const side = typeof vision.image_size === 'number' ? vision.image_size : 224;
  const config = {
    image_processor_type: 'ViTImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { height: side, width: side },
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

const roundUp = (value: number, step: number) => Math.ceil(value / step) * step;

async function textHalf({ config, corpus, seed, report }: AssembleOptions): Promise<Half> {
  const { text_backbone: backbone, max_length_corpus, text_pooling } = config;
  if (typeof backbone === 'string') {
    const folder = await backboneFolder(backbone, report);
    const { config: towerConfig, tensors } = await loadTextTower(folder, { seed, onWarning: report });
    report(`text_backbone ${backbone}: pretrained weights`);
    return {
      config: towerConfig,
      tensors: tensors,
      assets: await readAssets(folder, TOKENIZER_FILES),
    };
  }
  if (backbone.model_type === 'clip_text_model' && text_pooling === 'pooler') {
    const reason =
      'pools at the token with the highest id, which in a word-level vocabulary is the rarest word';
    throw new InputError(`a clip_text_model from scratch ${reason}; set "text_pooling" to "mean"`);
  }
  const length = max_length_corpus === -1 ? roundUp(longestLength(corpus), 8) : max_length_corpus;
  const { vocabularySize, files } = buildWordLevelTokenizer(corpus, length);
  report(`tokenizer: ${vocabularySize} words of the corpus, up to ${length} tokens a caption`);
  const completed = {
    vocab_size: vocabularySize,
    // RoBERTa counts positions from the padding id + 1.
    max_position_embeddings: length + PAD_ID + 1,
    ...(SEGMENTED.has(backbone.model_type) ? { type_vocab_size: 1 } : {}),
    bos_token_id: BOS_ID,
    pad_token_id: PAD_ID,
    eos_token_id: EOS_ID,
    ...backbone,
  };
  return { config: completed, assets: files };
}

export async function assembleModel(options: AssembleOptions): Promise<AssembledModel> {
  const { config, configFile, seed, assetFolder } = options;
  const vision = await visionHalf(options);
  const text = await textHalf(options);
  const configJson: Record<string, unknown> = {
    architectures: ['VisionTextDualEncoderModel'],
    model_type: 'vision-text-dual-encoder',
    projection_dim: config.dim,
    logit_scale_init_value: LOGIT_SCALE_START,
    vision_config: vision.config,
    text_config: text.config,
    ...(config.text_pooling === 'pooler' ? {} : { text_pooling: config.text_pooling }),
    ...(config.projection_head === 'residual' ? { projection_head: 'residual' } : {}),
    ...(config.dropout > 0 ? { projection_dropout: config.dropout } : {}),
  };
  const model = createDualEncoder(configJson);
  if (NAMELESS_WIDTH.has(model.vision.modelType))
    configJson.vision_config = { ...vision.config, hidden_size: model.vision.outputSize };
  const specs = dualEncoderSpecs(model);
  const weights: HostTensors = initWeights(specs, seed);
  if (config.temperature === 'none') weights.logit_scale = scalar(0);
  for (const [prefix, half] of [
    [model.visionPrefix, vision],
    [model.textPrefix, text],
  ] as const) {
    for (const [name, tensor] of Object.entries(half.tensors ?? {})) weights[prefix + name] = tensor;
  }
  const assets = { ...text.assets, ...vision.assets };
  await mkdir(assetFolder, { recursive: true });
  for (const [name, content] of Object.entries(assets))
    await writeFile(path.join(assetFolder, name), content);
  const tokenizer = await loadTokenizer(assetFolder);
  const processor = await ImageProcessor.load(assetFolder);
  const maximumLength = captionLength(model, tokenizer);
  const wanted = config.max_length_corpus;
  if (wanted > maximumLength) {
    const limit = `the text tower takes at most ${maximumLength} tokens, found ${wanted}`;
    throw new InputError(`${configFile}: "max_length_corpus": ${limit}`);
  }
  const length = wanted === -1 ? maximumLength : wanted;
  const minimumLength = leastLength(model, maximumLength);
  if (minimumLength > length) {
    const reason = `a siglip_text_model reads its padding too, so it takes all ${maximumLength} tokens`;
    throw new InputError(`${configFile}: "max_length_corpus": ${reason}; expected -1, found ${wanted}`);
  }
  return {
    model,
    specs,
    configJson,
    weights,
    tokenizer,
    processor,
    maximumLength: length,
    minimumLength,
    assets,
  };
}

/** SigLIP's text tower takes the last token for the text, so every text is padded to one length. */
const leastLength = (model: DualEncoder, maximumLength: number): number =>
  model.text.modelType === 'siglip_text_model' ? maximumLength : 1;

/** The tokens that both tower and tokenizer allow; 512 when neither has a limit. */
const captionLength = (model: DualEncoder, tokenizer: Tokenizer): number =>
  Math.min(model.text.maxTokens ?? 512, tokenizer.maxLength, 512);

/** The model of a checkpoint folder of this trainer, with the weights as they are there. */
export async function reopenModel(folder: string, maximumLength?: number): Promise<AssembledModel> {
  const configJson = await readConfig(folder);
  const { model, tensors: weights } = await loadDualEncoder(folder);
  const tokenizer = await loadTokenizer(folder);
  const length = maximumLength ?? captionLength(model, tokenizer);
  return {
    model,
    specs: dualEncoderSpecs(model),
    configJson,
    weights,
    tokenizer,
    processor: await ImageProcessor.load(folder),
    maximumLength: length,
    minimumLength: leastLength(model, length),
    assets: await readAssets(folder, [...TOKENIZER_FILES, PROCESSOR_FILE]),
  };
}

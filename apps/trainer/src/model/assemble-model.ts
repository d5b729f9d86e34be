/** Puts a new dual encoder together from model_config.json. The heads always start at random. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '@clip-ts/clip/files';
import { ImageProcessor, loadTokenizer } from '@clip-ts/clip';
import {
  createDualEncoder,
  dualEncoderSpecs,
  initWeights,
  type DualEncoder,
  type TensorSpec,
} from '@clip-ts/clip/model';
import { scalar, type HostTensors, type LossKind } from '@clip-ts/clip/train';
import type { ModelConfig } from '../config/model-config.js';
import type { AssembledModel } from './assembled-model.js';
import { captionLength, captionLimit } from './caption-length.js';
import { measureCaptions, tokenizeTexts } from './measure-captions.js';
import { textParts, visionParts, type TowerOptions, type TowerParts } from './tower-parts.js';

/** The initial values of CLIP, ln(1 / 0.07), and of SigLIP. */
const START = {
  softmax: { logit_scale_init_value: 2.6592 },
  sigmoid: { logit_scale_init_value: Math.log(10), logit_bias_init_value: -10 },
};

/** A larger fraction of unknown tokens is worth a warning. */
const MOSTLY_KNOWN = 0.1;

/** Image towers whose configs have no `hidden_size`, which Python's VisionTextDualEncoderModel asks for. */
const WITHOUT_HIDDEN_SIZE = new Set(['convnext', 'mobilenet_v2', 'resnet']);

export interface AssembleOptions extends TowerOptions {
  /** Where the config was read, for errors. */
  configFile: string;
  /** Folder for the tokenizer's and processor's files while training runs. */
  assetFolder: string;
  /** That of all stages. */
  loss: LossKind;
}

/** @throws InputError when parts do not fit together, and what reading a pretrained tower throws */
export async function assembleModel(options: AssembleOptions): Promise<AssembledModel> {
  const { config, seed, assetFolder } = options;
  const vision = await visionParts(options);
  const text = await textParts(options);
  const configJson = dualEncoderConfig(options, vision, text);
  const model = createDualEncoder(configJson);
  if (WITHOUT_HIDDEN_SIZE.has(model.vision.modelType))
    configJson.vision_config = { ...vision.config, hidden_size: model.vision.outputSize };
  const specs = dualEncoderSpecs(model);
  const weights = initialWeights(model, specs, { config, seed, vision, text });
  const assets = { ...text.assets, ...vision.assets };
  await makeFolder(assetFolder);
  for (const [name, content] of Object.entries(assets))
    await writeFile(path.join(assetFolder, name), content);
  const tokenizer = await loadTokenizer(assetFolder);
  const processor = await ImageProcessor.load(assetFolder);
  const corpus = tokenizeTexts(options.corpus, tokenizer, captionLimit(model, tokenizer));
  const { lengths, unknown } = measureCaptions(corpus, tokenizer.unknownTokenId);
  if (unknown > MOSTLY_KNOWN) {
    const share = `${Math.round(100 * unknown)} %`;
    options.log(`warning: ${share} of the tokens of the training captions are unknown to the tokenizer`);
  }
  const length = captionLength(model, tokenizer, {
    maxLengthCorpus: config.max_length_corpus,
    lengths,
    source: options.configFile,
  });
  return { model, specs, configJson, weights, tokenizer, processor, ...length, assets, corpus };
}

/** config.json; keys of this project are there where they are not the default. */
const dualEncoderConfig = (
  { config, loss }: AssembleOptions,
  vision: TowerParts,
  text: TowerParts,
): Record<string, unknown> => ({
  architectures: ['VisionTextDualEncoderModel'],
  model_type: 'vision-text-dual-encoder',
  projection_dim: config.dim,
  ...START[loss],
  vision_config: vision.config,
  text_config: text.config,
  ...(config.text_pooling === 'pooler' ? {} : { text_pooling: config.text_pooling }),
  ...(config.projection_head === 'residual' ? { projection_head: 'residual' } : {}),
  ...(config.dropout > 0 ? { projection_dropout: config.dropout } : {}),
});

/** The weights of pretrained towers; all others at random. */
function initialWeights(
  model: DualEncoder,
  specs: readonly TensorSpec[],
  { config, seed, vision, text }: { config: ModelConfig; seed: number; vision: TowerParts; text: TowerParts },
): HostTensors {
  const pretrained: HostTensors = {};
  const add = (prefix: string, tower: HostTensors = {}) => {
    for (const [name, tensor] of Object.entries(tower)) pretrained[prefix + name] = tensor;
  };
  add(model.visionPrefix, vision.weights);
  add(model.textPrefix, text.weights);
  const drawn = initWeights(
    specs.filter(({ name }) => pretrained[name] === undefined),
    seed,
  );
  if (config.temperature === 'none') drawn.logit_scale = scalar(0);
  return Object.fromEntries(specs.map(({ name }) => [name, pretrained[name] ?? drawn[name]!]));
}

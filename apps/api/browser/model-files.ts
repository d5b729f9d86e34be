/** The small files of a model, from the service or from the hub, and what they say. */
import {
  configScoring,
  createTokenizer,
  imageProcessorConfig,
  parseCheckpointConfig,
  parseTokenizerFiles,
  PixelProcessor,
  type CheckpointConfig,
  type LabelCalibration,
  type Scoring,
  type Tokenizer,
} from '@clip-ts/clip/browser';
import type { ModelSource } from './messages.js';

/** How transformers.js names a model, and where it finds it. */
export interface ModelAddress {
  id: string;
  /** Of its files, with a slash at the end. */
  url: string;
}

export interface ModelFiles {
  config: CheckpointConfig;
  scoring: Omit<Scoring, 'source'>;
  labelCalibration?: LabelCalibration;
  processor: PixelProcessor;
  tokenizer: Tokenizer;
}

/** @param read the content of a JSON file; undefined when there is none */
export async function readModelFiles(
  source: ModelSource,
  { url }: ModelAddress,
  read: (url: string) => Promise<unknown>,
): Promise<ModelFiles> {
  const has = (name: string) => source.kind === 'hub' || source.files.includes(name);
  const file = async (name: string) => (has(name) ? await read(url + name) : undefined);
  const [configJson, tokenizer, tokenizerConfig, specialTokensMap] = await Promise.all(
    ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'].map(file),
  );
  const name = source.kind === 'hub' ? source.id : source.name;
  if (configJson === undefined)
    throw new Error(`The model ${name} has no config.json, or there is no such model.`);
  const config = parseCheckpointConfig(configJson, `${name}/config.json`);
  const scoring = source.kind === 'own' ? source.scoring : configScoring(config);
  if (scoring === undefined)
    throw new Error(`${name}/config.json has no value for the logit_scale that the model learned.`);
  return {
    config,
    scoring,
    labelCalibration: source.kind === 'own' ? source.scoring.labelCalibration : config.label_calibration,
    processor: new PixelProcessor(await processorConfig(file, name)),
    tokenizer: createTokenizer(
      parseTokenizerFiles({ tokenizer, tokenizerConfig, specialTokensMap }, name),
      name,
    ),
  };
}

/** preprocessor_config.json, or what transformers 5 writes instead. */
async function processorConfig(file: (name: string) => Promise<unknown>, name: string): Promise<unknown> {
  const older = await file('preprocessor_config.json');
  if (older !== undefined) return older;
  return imageProcessorConfig(await file('processor_config.json'), `${name}/processor_config.json`);
}

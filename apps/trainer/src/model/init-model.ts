/**
 * The model of a run that starts from a whole dual encoder: a published CLIP or SigLIP, a VisionTextDualEncoder of
 * Python's transformers, or a checkpoint of this trainer. It keeps its layout, so that what opened it opens the result.
 */
import { loadTokenizer } from '@clip-ts/clip';
import { createDualEncoder, dualEncoderSpecs, loadWeights, readConfig } from '@clip-ts/clip/model';
import { numberOf, type HostTensors, type LossKind } from '@clip-ts/clip/train';
import type { InitModelConfig } from '../config/model-config.js';
import { InputError } from '../errors.js';
import type { AssembledModel } from './assembled-model.js';
import { captionLimit } from './caption-length.js';
import { folderParts } from './folder-parts.js';
import { assertNoConflict } from './init-conflicts.js';
import { measureCaptions, tokenizeTexts } from './measure-captions.js';
import { pretrainedFolder } from './tower-parts.js';

/** SigLIP's initial value. */
const LOGIT_BIAS_START = -10;

const DUAL_ENCODERS = ['clip', 'siglip', 'vision-text-dual-encoder'];

export interface InitOptions {
  config: InitModelConfig & { init_from: string };
  /** Where the config was read, for errors. */
  configFile: string;
  /** Captions of the training split. */
  corpus: readonly string[];
  /** Of weights that the model lacks. */
  seed: number;
  /** That of all stages; absent: the model's own. */
  loss?: LossKind;
  log: (line: string) => void;
}

/** @throws InputError when the settings contradict the model, and what reading it throws */
export async function initModel(options: InitOptions): Promise<AssembledModel> {
  const { config, configFile, seed, log } = options;
  const folder = await pretrainedFolder(config.init_from, log);
  const stored = await readDualEncoderConfig(config.init_from, folder);
  const kept = createDualEncoder(stored);
  assertNoConflict(config, configFile, kept);
  const configJson = trainedConfig(stored, options, kept.config.logit_bias_init_value !== undefined);
  const model = createDualEncoder(configJson);
  const keptNames = new Set(dualEncoderSpecs(kept).map(({ name }) => name));
  const specs = dualEncoderSpecs(model);
  const loadable = specs.map((spec) =>
    keptNames.has(spec.name) ? spec : { ...spec, optional: true as const },
  );
  const added: string[] = [];
  const weights = await loadWeights(folder, loadable, { seed, onWarning: (line) => added.push(line) });
  logOrigin(config.init_from, kept.config.kind, weights, added, log);
  assertTemperature(options, weights);
  const tokenizer = await loadTokenizer(folder);
  const corpus = tokenizeTexts(options.corpus, tokenizer, captionLimit(model, tokenizer));
  const { lengths } = measureCaptions(corpus, tokenizer.unknownTokenId);
  const policy = { maxLengthCorpus: config.max_length_corpus, lengths, source: configFile };
  return {
    model,
    specs,
    configJson,
    weights,
    ...(await folderParts(folder, model, tokenizer, policy)),
    corpus,
  };
}

async function readDualEncoderConfig(name: string, folder: string): Promise<Record<string, unknown>> {
  const config = await readConfig(folder);
  const type = String(config.model_type);
  if (DUAL_ENCODERS.includes(type)) return config;
  throw new InputError(
    `init_from ${name} is not a model of two towers: expected the model_type ${DUAL_ENCODERS.join(', ')}, found ${type}. ` +
      'Name a single tower as "vision_backbone" or "text_backbone" in the model configuration',
    'INIT_FROM_NOT_DUAL_ENCODER',
  );
}

/** config.json of what is trained: float32, with the dropout that was asked for, and a logit_bias where the loss needs one. */
function trainedConfig(
  stored: Record<string, unknown>,
  { config, loss }: InitOptions,
  hasBias: boolean,
): Record<string, unknown> {
  const trained = inFloat32(stored);
  for (const side of ['vision_config', 'text_config'])
    if (typeof trained[side] === 'object' && trained[side] !== null)
      trained[side] = inFloat32(trained[side] as Record<string, unknown>);
  if (config.dropout !== undefined) delete trained.projection_dropout;
  if (config.dropout) trained.projection_dropout = config.dropout;
  if (loss === 'sigmoid' && !hasBias) trained.logit_bias_init_value = LOGIT_BIAS_START;
  return trained;
}

/** Half-precision weights are trained, and saved, in float32. */
function inFloat32(config: Record<string, unknown>): Record<string, unknown> {
  const changed = { ...config };
  for (const key of ['dtype', 'torch_dtype']) if (changed[key] != null) changed[key] = 'float32';
  return changed;
}

function logOrigin(
  name: string,
  kind: string,
  weights: HostTensors,
  added: readonly string[],
  log: (line: string) => void,
): void {
  const scalars = ['logit_scale', 'logit_bias']
    .filter((scalar) => weights[scalar] !== undefined)
    .map((scalar) => `${scalar} ${numberOf(weights[scalar]!).toFixed(4)}`);
  const count = Object.keys(weights).length;
  log(
    `init_from ${name}: a ${kind} model, ${count} tensors, towers and projections kept; ${scalars.join(', ')}`,
  );
  log(added.length === 0 ? 'nothing is new' : `new: ${added.join('; ')}`);
}

/** "none" fixes logit_scale at 0; that of a model that has learned another value would be lost. */
function assertTemperature({ config, configFile }: InitOptions, weights: HostTensors): void {
  const scale = numberOf(weights.logit_scale!);
  if (config.temperature !== 'none' || scale === 0) return;
  throw new InputError(
    `${configFile}: "temperature": init_from keeps logit_scale; expected "learned", found "none" with logit_scale ${scale}`,
    'INIT_FROM_CONFLICT',
  );
}

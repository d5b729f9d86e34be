/** The layout of a checkpoint folder: Hugging Face's names, and those of transformers.js for the ONNX models. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export const CONFIG_FILE = 'config.json';
export const WEIGHTS_FILE = 'model.safetensors';
/** Names the shards of a large checkpoint, which then has no {@link WEIGHTS_FILE}. */
export const WEIGHTS_INDEX_FILE = 'model.safetensors.index.json';
export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';
export const SPECIAL_TOKENS_FILE = 'special_tokens_map.json';
export const PREPROCESSOR_CONFIG_FILE = 'preprocessor_config.json';
/** Where transformers 5 keeps the image processor's settings, under `image_processor`. */
export const PROCESSOR_CONFIG_FILE = 'processor_config.json';
export const MODEL_CARD_FILE = 'README.md';
/** Only in a checkpoint that training can resume from. */
export const TRAINING_FOLDER = 'training';
const VISION_MODEL_FILE = 'onnx/vision_model.onnx';
const TEXT_MODEL_FILE = 'onnx/text_model.onnx';

/** Number formats that ONNX models are stored in, with what transformers.js puts behind their name. */
export const ONNX_SUFFIXES = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
} as const;
export type OnnxPrecision = keyof typeof ONNX_SUFFIXES;

/** Which of the stored ONNX models to use; `auto`: the most precise one present. */
export type PrecisionChoice = OnnxPrecision | 'auto';

/** The two ONNX models of a precision, relative to the folder. */
export function onnxFiles(precision: OnnxPrecision): { vision: string; text: string } {
  const suffix = `${ONNX_SUFFIXES[precision]}.onnx`;
  return {
    vision: VISION_MODEL_FILE.replace('.onnx', suffix),
    text: TEXT_MODEL_FILE.replace('.onnx', suffix),
  };
}

/**
 * The precision to use of a folder or repository with these files: for `auto` the first of fp32, fp16, q8, int8 and uint8
 * that has both models, or fp32 when none has, so that what is missing is named.
 */
export function choosePrecision(names: readonly string[], choice: PrecisionChoice): OnnxPrecision {
  if (choice !== 'auto') return choice;
  const all = Object.keys(ONNX_SUFFIXES) as OnnxPrecision[];
  const isThere = (precision: OnnxPrecision) =>
    Object.values(onnxFiles(precision)).every((name) => names.includes(name));
  return all.find(isThere) ?? 'fp32';
}

/** The precision of the ONNX models that an encoder takes of a folder. */
export const encoderPrecision = async (
  folder: string,
  choice: PrecisionChoice = 'auto',
): Promise<OnnxPrecision> => choosePrecision(await checkpointNames(folder), choice);

/** The names of the files of a folder and of its folder `onnx`, relative to the folder. */
export async function checkpointNames(folder: string): Promise<string[]> {
  const onnx = await readdir(join(folder, 'onnx')).catch((): string[] => []);
  const here = (await readdir(folder)).filter((name) => name !== 'onnx');
  return [...here, ...onnx.map((name) => `onnx/${name}`)];
}

/** The file with the image processor's settings. Where a folder has both, it is the older form, which holds nothing else. */
export const processorFile = (names: readonly string[]): string =>
  !names.includes(PREPROCESSOR_CONFIG_FILE) && names.includes(PROCESSOR_CONFIG_FILE)
    ? PROCESSOR_CONFIG_FILE
    : PREPROCESSOR_CONFIG_FILE;

/** Files beside an ONNX model that hold its tensors, for models of more than 2 GB. */
export const externalData = (model: string): string[] => [`${model}_data`, `${model}.data`];

/**
 * The files of a folder that an encoder needs or that describe it, relative to the folder: the ONNX models with the data
 * that lies beside them, tokenizer, preprocessor, config and model card. Not the weights of training.
 */
export async function encoderFiles(folder: string, choice: PrecisionChoice = 'auto'): Promise<string[]> {
  const names = await checkpointNames(folder);
  const { vision, text } = onnxFiles(choosePrecision(names, choice));
  const wanted = [
    CONFIG_FILE,
    TOKENIZER_FILE,
    TOKENIZER_CONFIG_FILE,
    SPECIAL_TOKENS_FILE,
    PREPROCESSOR_CONFIG_FILE,
    PROCESSOR_CONFIG_FILE,
    MODEL_CARD_FILE,
    ...[vision, text].flatMap((model) => [model, ...externalData(model)]),
  ];
  return wanted.filter((name) => names.includes(name));
}

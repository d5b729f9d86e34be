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
export const MODEL_CARD_FILE = 'README.md';
/** Only in a checkpoint that training can resume from. */
export const TRAINING_FOLDER = 'training';
export const VISION_MODEL_FILE = 'onnx/vision_model.onnx';
export const TEXT_MODEL_FILE = 'onnx/text_model.onnx';

/** Number formats that ONNX models are stored in, with what transformers.js puts behind their name. */
export const ONNX_SUFFIXES = {
  fp32: '',
  fp16: '_fp16',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
} as const;
export type OnnxPrecision = keyof typeof ONNX_SUFFIXES;

/** The two ONNX models of a precision, relative to the folder. */
export function onnxFiles(precision: OnnxPrecision): { vision: string; text: string } {
  const suffix = `${ONNX_SUFFIXES[precision]}.onnx`;
  return {
    vision: VISION_MODEL_FILE.replace('.onnx', suffix),
    text: TEXT_MODEL_FILE.replace('.onnx', suffix),
  };
}

/**
 * The files of a folder that an encoder needs or that describe it, relative to the folder: the ONNX models with the data
 * that lies beside them, tokenizer, preprocessor, config and model card. Not the weights of training.
 * @param precision which of the stored ONNX models. Default: fp32
 */
export async function encoderFiles(folder: string, precision: OnnxPrecision = 'fp32'): Promise<string[]> {
  const { vision, text } = onnxFiles(precision);
  const plain = [
    CONFIG_FILE,
    TOKENIZER_FILE,
    TOKENIZER_CONFIG_FILE,
    SPECIAL_TOKENS_FILE,
    PREPROCESSOR_CONFIG_FILE,
    MODEL_CARD_FILE,
  ];
  const names = await readdir(folder);
  const onnx = (await readdir(join(folder, 'onnx'))).map((name) => `onnx/${name}`);
  // Models of more than 2 GB keep their tensors in files such as vision_model.onnx_data.
  const isPart = (name: string) =>
    [vision, text].some((model) => name === model || name.startsWith(`${model}_data`));
  return [...plain.filter((name) => names.includes(name)), ...onnx.filter(isPart)];
}

/** Which files of a repository a model needs: its weights in one format, and the small files that describe it. */
import {
  choosePrecision,
  CONFIG_FILE,
  externalData,
  onnxFiles,
  PREPROCESSOR_CONFIG_FILE,
  PROCESSOR_CONFIG_FILE,
  SPECIAL_TOKENS_FILE,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  WEIGHTS_FILE,
  WEIGHTS_INDEX_FILE,
  type PrecisionChoice,
} from '../checkpoint/files.js';
import { ClipError } from '../errors.js';

/**
 * `onnx`: the ONNX models of both towers, to encode with ClipEncoder. `weights`: safetensors, to train from.
 * `auto`: the ONNX models where there are both, else the weights. A list: these files.
 */
export type FileSelection = 'auto' | 'onnx' | 'weights' | readonly string[];

const DESCRIPTIONS = [
  CONFIG_FILE,
  PREPROCESSOR_CONFIG_FILE,
  PROCESSOR_CONFIG_FILE,
  TOKENIZER_FILE,
  TOKENIZER_CONFIG_FILE,
  SPECIAL_TOKENS_FILE,
];
/** What Python's tokenizers of SigLIP and XLM-RoBERTa read: for checkpoints that are trained from these files. */
const SENTENCE_PIECES = ['spiece.model', 'sentencepiece.bpe.model'];
const PICKLES = /^(pytorch_model.*\.bin|model\.pt|.*\.ckpt)$/;
const SHARD = /^model-\d{5}-of-(\d{5})\.safetensors$/;

/**
 * Selects the files to download, the weights last: when they are there, so is the rest.
 * @param available all paths of the repository or folder
 * @param source named in errors
 * @param precision which of the stored ONNX models
 * @throws ClipError HUB_PICKLE_ONLY, HUB_NOT_FOUND naming the files that are missing
 */
export function selectFiles(
  available: readonly string[],
  selection: FileSelection,
  source: string,
  precision: PrecisionChoice = 'auto',
): string[] {
  const has = (path: string) => available.includes(path);
  if (typeof selection !== 'string') {
    const missing = selection.filter((path) => !has(path));
    if (missing.length > 0) throw lacks(source, missing, available);
    return [...selection];
  }
  const { vision, text } = onnxFiles(choosePrecision(available, precision));
  const descriptions = DESCRIPTIONS.filter(has);
  const weights = [WEIGHTS_FILE].filter(has);
  const onnx = has(vision) && has(text);
  if (selection === 'onnx' || (selection === 'auto' && onnx)) {
    if (!onnx)
      throw lacks(
        source,
        [vision, text].filter((path) => !has(path)),
        available,
      );
    // Large models keep their tensors beside the graph. The safetensors hold the learned logit_scale.
    const external = [vision, text].flatMap(externalData).filter(has);
    return [...descriptions, ...external, ...weights, vision, text];
  }
  if (!has(CONFIG_FILE)) throw lacks(source, [CONFIG_FILE], available);
  const sources = [...descriptions, ...SENTENCE_PIECES.filter(has)];
  if (weights.length > 0) return [...sources, ...weights];
  const shards = available.filter((path) => SHARD.test(path));
  const shardCount = Number(SHARD.exec(shards[0] ?? '')?.[1]);
  if (has(WEIGHTS_INDEX_FILE) && shards.length === shardCount)
    return [...sources, WEIGHTS_INDEX_FILE, ...shards];
  const pickle = available.find((path) => PICKLES.test(path));
  if (pickle !== undefined) throw pickleOnly(source, pickle);
  throw lacks(source, [WEIGHTS_FILE], available);
}

function lacks(source: string, missing: readonly string[], available: readonly string[]): ClipError {
  const shown = available.slice(0, 20).join(', ') + (available.length > 20 ? ', …' : '');
  return new ClipError('HUB_NOT_FOUND', `${source} lacks ${missing.join(', ')}`, {
    found: available.length === 0 ? 'no files' : shown,
  });
}

function pickleOnly(source: string, pickle: string): ClipError {
  const script = `from transformers import AutoModel; AutoModel.from_pretrained('${source}').save_pretrained('converted')`;
  return new ClipError(
    'HUB_PICKLE_ONLY',
    `${source} has its weights only as ${pickle}, a pickle, which can run code when it is opened`,
    {
      expected: WEIGHTS_FILE,
      hint: `Convert it once with Python: python -c "${script}" and copy its tokenizer and preprocessor files into the folder`,
    },
  );
}

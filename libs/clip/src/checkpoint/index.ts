export { maxTextTokens, readsPadding, type CheckpointConfig } from './checkpoint-config.js';
export {
  CONFIG_FILE,
  encoderFiles,
  encoderPrecision,
  MODEL_CARD_FILE,
  ONNX_SUFFIXES,
  PREPROCESSOR_CONFIG_FILE,
  SPECIAL_TOKENS_FILE,
  TEXT_MODEL_FILE,
  TOKENIZER_CONFIG_FILE,
  TOKENIZER_FILE,
  TRAINING_FOLDER,
  VISION_MODEL_FILE,
  WEIGHTS_FILE,
  WEIGHTS_INDEX_FILE,
  type OnnxPrecision,
  type PrecisionChoice,
} from './files.js';
export { openCheckpoint, type Checkpoint, type OpenCheckpointOptions } from './open.js';
export type { Scoring } from './config-scoring.js';

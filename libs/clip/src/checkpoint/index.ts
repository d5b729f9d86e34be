export { maxTextTokens, readsPadding, type CheckpointConfig } from './checkpoint-config.js';
export {
  CONFIG_FILE,
  encoderFiles,
  encoderPrecision,
  MODEL_CARD_FILE,
  ONNX_SUFFIXES,
  TRAINING_FOLDER,
  WEIGHTS_FILE,
  WEIGHTS_INDEX_FILE,
  type OnnxPrecision,
  type PrecisionChoice,
} from './files.js';
export { openCheckpoint, type Checkpoint, type OpenCheckpointOptions } from './open.js';
export type { Scoring } from './config-scoring.js';

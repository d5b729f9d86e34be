/**
 * What of a checkpoint's use needs neither Node.js nor an engine, for pages that run the models themselves: pixels and texts
 * become the same inputs, and embeddings the same scores, as on the server.
 */
export { ClipError } from '../errors.js';
export {
  maxTextTokens,
  parseCheckpointConfig,
  readsPadding,
  type CheckpointConfig,
} from '../checkpoint/checkpoint-config.js';
export { configScoring, type Scoring } from '../checkpoint/config-scoring.js';
export { unitVector } from '../encode/unit-vector.js';
export { JpegDecoder } from '../preprocess/jpeg/decoder.js';
export { PixelProcessor } from '../preprocess/pixel-processor.js';
export { imageProcessorConfig } from '../preprocess/processor-config.js';
export type { RgbImage } from '../preprocess/rgb-image.js';
export { parseTokenizerFiles } from '../tokenizer/files.js';
export { createTokenizer, type Tokenizer } from '../tokenizer/tokenizer.js';
export {
  ensembleEmbeds,
  labelPrompts,
  rankLabels,
  REFERENCE_LABELS,
  TEMPLATE_SETS,
  textCenter,
  type LabelCalibration,
  type RankedLabel,
} from '../zero-shot/index.js';

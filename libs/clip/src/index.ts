/** What a CLIP checkpoint is and how to use one: no TensorFlow.js here (the towers are in `@clip-ts/clip/model`). */
export { CLIP_ERROR_CODES, ClipError, type ClipErrorCode, type ClipErrorDetails } from './errors.js';
export {
  SafetensorsFile,
  safetensorsHeader,
  writeSafetensors,
  type SafetensorsDtype,
  type TensorEntry,
  type TensorInfo,
} from './safetensors/index.js';
export {
  loadTokenizer,
  wordLevelTokenizer,
  type EncodedTexts,
  type EncodeOptions,
  type TokenIdsOptions,
  type Tokenizer,
} from './tokenizer/index.js';
export {
  decodeImage,
  IMAGE_FORMATS,
  OPTIONAL_IMAGE_FORMATS,
  imageFormat,
  plainJpegHeader,
  ImageProcessor,
  vitProcessor,
  type ImageFormat,
  type ImageLimits,
  type ImageSource,
  type RgbImage,
} from './preprocess/index.js';
export {
  CONFIG_FILE,
  encoderFiles,
  encoderPrecision,
  MODEL_CARD_FILE,
  ONNX_SUFFIXES,
  openCheckpoint,
  TRAINING_FOLDER,
  type Checkpoint,
  type CheckpointConfig,
  type OnnxPrecision,
  type PrecisionChoice,
  type OpenCheckpointOptions,
  type Scoring,
} from './checkpoint/index.js';
export { ClipEncoder, type ClipEncoderOptions } from './encode/index.js';
export {
  cosineOverBackground,
  ensembleEmbeds,
  fitCalibration,
  labelPrompts,
  NONE_OF_THE_ABOVE,
  REFERENCE_LABELS,
  rankLabels,
  TEMPLATE_SETS,
  textCenter,
  type JudgedPair,
  type LabelCalibration,
  type RankedLabel,
  type RankLabelsOptions,
} from './zero-shot/index.js';
export {
  resolveModelFolder,
  type DownloadProgress,
  type FileSelection,
  type ResolveOptions,
} from './hub/index.js';

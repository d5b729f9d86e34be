/** What a CLIP checkpoint is and how to use one: no TensorFlow.js here (the towers are in `@clip-ts/clip/model`). */
export { CLIP_ERROR_CODES, ClipError, type ClipErrorCode, type ClipErrorDetails } from './errors.js';
export { recoverFolder, writeFileAtomic, writeFolderAtomic } from './files/index.js';
export {
  SafetensorsFile,
  writeSafetensors,
  type SafetensorsDtype,
  type TensorEntry,
  type TensorInfo,
} from './safetensors/index.js';
export {
  loadTokenizer,
  type EncodedTexts,
  type EncodeOptions,
  type TokenIdsOptions,
  type Tokenizer,
} from './tokenizer/index.js';
export {
  decodeImage,
  DEFAULT_IMAGE_LIMITS,
  IMAGE_FORMATS,
  imageFormat,
  ImageProcessor,
  type ImageFormat,
  type ImageLimits,
  type ImageSource,
  type RgbImage,
} from './preprocess/index.js';

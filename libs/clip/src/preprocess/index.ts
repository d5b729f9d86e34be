export { decodeImage, type ImageLimits, type ImageSource } from './decode.js';
export { IMAGE_FORMATS, OPTIONAL_IMAGE_FORMATS, imageFormat, type ImageFormat } from './image-format.js';
export { plainJpegHeader } from './jpeg/markers.js';
/** Image files → pixel_values. Loads neither ONNX Runtime nor tokenizers, for threads that do nothing else. */
export { ImageProcessor } from './image-processor.js';
export type { PixelChange } from './normalizer.js';
export type { RgbImage } from './rgb-image.js';
export type { Window } from './resample/window.js';
export { vitProcessor } from './vit-processor.js';
export { ClipError, type ClipErrorCode } from '../errors.js';

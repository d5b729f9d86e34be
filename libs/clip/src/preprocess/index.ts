export {
  decodeImage,
  DEFAULT_IMAGE_LIMITS,
  IMAGE_FORMATS,
  imageFormat,
  type ImageFormat,
  type ImageLimits,
  type ImageSource,
  type RgbImage,
} from './decode.js';
export { ImageProcessor } from './image-processor.js';

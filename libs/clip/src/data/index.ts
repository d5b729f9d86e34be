/** One reader of datasets, with one set of rules, for training on images and for importing them. */
export { openDataset } from './open-dataset.js';
export { ImageReader, readImageBytes } from './image-reader.js';
export {
  DATASET_FORMATS,
  DATASET_PROBLEMS,
  type Dataset,
  type DatasetFormat,
  type DatasetImage,
  type DatasetProblem,
  type DatasetProblemCode,
  type DatasetSplit,
  type ImageLocation,
} from './types.js';
export { openImageFolder } from './class-folders.js';

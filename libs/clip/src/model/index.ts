export { createContext } from './types.js';
export type {
  ForwardContext,
  HostTensor,
  Initializer,
  TensorSpec,
  TextInputs,
  TextTower,
  Tower,
  TowerDefinition,
  TowerOutput,
  VisionInputs,
  VisionTower,
  Weights,
} from './types.js';
export { assertBatchNormTrainable, countBatches } from './blocks/batch-norm.js';
export {
  createDualEncoder,
  dualEncoderSpecs,
  encodeImages,
  encodeTexts,
  l2Normalize,
  logitsPerImage,
  meanOverTokens,
  type DualEncoder,
} from './dual-encoder.js';
export {
  loadDualEncoder,
  loadTextTower,
  loadVisionTower,
  readConfig,
  readTowerConfig,
  type LoadedTower,
} from './load.js';
export { createTextTower, createVisionTower, supportedModelTypes } from './registry.js';
export { initTensor, initWeights } from './weights/initialize.js';
export { loadWeights, type LoadOptions } from './weights/load.js';
export { saveWeights, type SaveOptions } from './weights/save.js';

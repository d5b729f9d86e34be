export { createContext, isFrozen, type ForwardContext, type FrozenTowers } from './context.js';
export { assertBatchNormTrainable } from './layers/index.js';
export type {
  TextInputs,
  TextTower,
  Tower,
  TowerDefinition,
  TowerOutput,
  VisionInputs,
  VisionTower,
} from './tower.js';
export type { HostTensor, Initializer, TensorSpec, Weights } from './types.js';
export {
  createDualEncoder,
  dualEncoderSpecs,
  encodeImages,
  encodeTexts,
  type DualEncoder,
} from './dual-encoder.js';
export {
  loadDualEncoder,
  loadTextTower,
  loadVisionTower,
  readConfig,
  type LoadedTower,
} from './load-model.js';
export { createTextTower, createVisionTower } from './registry.js';
export { towerPositions, type TowerPosition } from './tower-positions.js';
export { initWeights } from './weights/initialize.js';
export { loadWeights, type LoadOptions } from './weights/load-weights.js';
export { saveWeights, type SaveOptions } from './weights/save.js';

export { convertToFloat32, type SafetensorsDtype } from './dtype.js';
export { SafetensorsFile } from './file.js';
export type { TensorInfo } from './header.js';
export { safetensorsHeader } from './header.js';
export { writeSafetensors, type TensorEntry } from './write.js';

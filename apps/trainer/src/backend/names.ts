/** The values of `--backend`. In a file of their own, so that `--help` need not load the backends. */
export const BACKEND_NAMES = [
  'auto',
  'onnxruntime',
  'onnxruntime-cuda',
  'onnxruntime-webgpu',
  'tfjs-node',
  'tfjs-node-gpu',
  'wasm',
  'cpu',
] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

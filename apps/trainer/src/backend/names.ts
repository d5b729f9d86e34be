/** What `--backend` can name. Apart from the code that loads them, so that `--help` is quick. */
export const BACKEND_NAMES = [
  'auto',
  'onnxruntime',
  'onnxruntime-webgpu',
  'tfjs-node',
  'tfjs-node-gpu',
  'wasm',
  'cpu',
] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

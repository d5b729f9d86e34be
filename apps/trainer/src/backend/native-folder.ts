/**
 * Where `npm run native:install` puts the native TensorFlow packages, and where the trainer looks for them. They live
 * in the user's cache, not in this project's node_modules, so that `npm ci` neither fetches nor removes them.
 */
import { homedir } from 'node:os';
import path from 'node:path';

/** The npm package whose binding is built: `tfjs-node` computes on the CPU, `tfjs-node-gpu` on CUDA. */
export type NativePackage = 'tfjs-node' | 'tfjs-node-gpu';

/**
 * The cache folder: `CLIP_NATIVE_CACHE` when set, else `clip-ts/native` in the user's cache (`XDG_CACHE_HOME`, or
 * `~/.cache`). Holds `<package>/node_modules` and, per TensorFlow wheel, `<wheel>-<version>/{lib,include}`.
 */
export function nativeCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.CLIP_NATIVE_CACHE) return path.resolve(env.CLIP_NATIVE_CACHE);
  return path.join(env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'clip-ts', 'native');
}

/** The folder with the node_modules that hold `@tensorflow/<name>`. It exists only after an install. */
export function nativePackageFolder(name: NativePackage, env: NodeJS.ProcessEnv = process.env): string {
  return path.join(nativeCacheFolder(env), name);
}

/**
 * The folder with ONNX Runtime for CUDA and CUDA's libraries, which `npm run native:install -- --cuda` fills. It is
 * named for the version (ort-native's ONNXRUNTIME_GPU_VERSION), so that another version is fetched separately.
 */
export const cudaCacheFolder = (env: NodeJS.ProcessEnv = process.env): string =>
  path.join(nativeCacheFolder(env), 'onnxruntime-gpu-1.30.0', 'lib');

/**
 * Where ONNX Runtime's CUDA libraries are looked for: the folders of `CLIP_CUDA_PATH` (separated by colons; for instance those of
 * PyTorch's `nvidia-*` wheels), then the cache.
 */
export const cudaFolders = (env: NodeJS.ProcessEnv = process.env): string[] => [
  ...(env.CLIP_CUDA_PATH ?? '').split(':').filter(Boolean),
  cudaCacheFolder(env),
];

/** Why this Node.js cannot run the native packages, or undefined when it can. */
export function nodeVersionProblem(version: string = process.versions.node): string | undefined {
  const major = Number(version.split('.')[0]);
  if (major < 23) return undefined;
  return (
    `@tensorflow/tfjs-node needs Node.js 20 or 22, this is ${version}: it calls util.isArray and similar functions, ` +
    'which Node.js 23 removed. Run with Node.js 22, or use --backend onnxruntime.'
  );
}

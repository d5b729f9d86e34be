/**
 * Where ONNX Runtime's CUDA libraries lie: its own core and provider, a pair of one version that is never mixed with
 * onnxruntime-node's, and the libraries of CUDA 13 and cuDNN 9 that the provider needs. They come from PyPI's wheels
 * (`onnxruntime-gpu`, `nvidia-*`); nothing has to be installed as a system package but the driver.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The version of both halves of the pair: that of the onnxruntime-node beside it. */
export const ONNXRUNTIME_GPU_VERSION = '1.30.0';

/** ONNX Runtime for CUDA. The core looks for the provider beside itself. */
export const PAIR = [
  'libonnxruntime.so.1',
  'libonnxruntime_providers_shared.so',
  'libonnxruntime_providers_cuda.so',
] as const;

/**
 * Libraries of CUDA 13 and cuDNN 9, each after those that it needs. They are opened by path before the provider is, which
 * then finds them by their names in the process: no LD_LIBRARY_PATH. A longer version may follow the name.
 */
export const CUDA_LIBRARIES = [
  'libcudart.so.13',
  'libcublasLt.so.13',
  'libcublas.so.13',
  'libcurand.so.10',
  'libnvrtc-builtins.so.13',
  'libnvrtc.so.13',
  'libcudnn_graph.so.9',
  'libcudnn_ops.so.9',
  'libcudnn_heuristic.so.9',
  'libcudnn_engines_precompiled.so.9',
  'libcudnn_engines_runtime_compiled.so.9',
  'libcudnn_cnn.so.9',
  'libcudnn_adv.so.9',
  'libcudnn.so.9',
] as const;

export interface CudaLibraries {
  /** The pair's core; its folder holds the provider too. Absent where no folder has the whole pair. */
  core: string | undefined;
  /** Paths of {@link CUDA_LIBRARIES} that were found, in that order. */
  libraries: string[];
  /** Names of what is in none of the folders. */
  missing: string[];
}

/** @param folders searched in this order; those that do not exist are passed over */
export function findCudaLibraries(folders: readonly string[]): CudaLibraries {
  const listed = folders.filter(existsSync).map((folder) => ({ folder, files: readdirSync(folder).sort() }));
  const find = (name: string): string | undefined => {
    for (const { folder, files } of listed) {
      const file = files.find((found) => found === name || found.startsWith(`${name}.`));
      if (file !== undefined) return join(folder, file);
    }
    return undefined;
  };
  const home = listed.find(({ files }) => PAIR.every((name) => files.includes(name)));
  const found = CUDA_LIBRARIES.map((name) => ({ name, path: find(name) }));
  return {
    core: home && join(home.folder, PAIR[0]),
    libraries: found.flatMap(({ path }) => path ?? []),
    missing: [
      ...(home ? [] : PAIR.filter((name) => find(name) === undefined)),
      ...found.filter(({ path }) => path === undefined).map(({ name }) => name),
    ],
  };
}

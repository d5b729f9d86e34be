/** For each backend that can run the trainer, the checks that say whether it is there. They change nothing. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import {
  cudaFolders,
  nativeCacheFolder,
  nativePackageFolder,
} from '../../apps/trainer/build/backend/native-folder.js';
import {
  findCudaLibraries,
  loadNative,
  ONNXRUNTIME_GPU_VERSION,
  PAIR,
} from '../../libs/ort-native/dist/index.js';
import { tryBinding } from './binding.mjs';
import { OLDEST_CUDA13_DRIVER } from './cuda-wheels.mjs';
import { checkDriver, readDriver } from './driver.mjs';
import { architecturesOf, readContainers, runsOn } from './fatbin.mjs';
import { installedFlavour } from './flavours.mjs';
import { librariesFolder } from './libraries.mjs';
import { checkCompiler, checkTools } from './requirements.mjs';
import { OLDEST_DRIVER } from './wheels.mjs';

/** @typedef {import('./requirements.mjs').Check} Check */
/** @typedef {import('./wheels.mjs').Flavour} Flavour */

const require = createRequire(import.meta.url);

/** onnxruntime-node itself. @returns {Check} */
function checkOnnxRuntime() {
  const what = 'onnxruntime-node';
  const remedy = 'npm ci';
  try {
    const { version } = /** @type {{ version: string }} */ (require('onnxruntime-node/package.json'));
    require('onnxruntime-node');
    return { what, ok: true, found: version };
  } catch (error) {
    return { what, ok: false, found: error instanceof Error ? error.message : String(error), remedy };
  }
}

/** The addon that the faster half of the default backend runs in. @returns {Check} */
function checkAddon() {
  const found = loadNative();
  return {
    what: 'native addon',
    ok: found.runtime !== undefined,
    found: found.runtime ? `loads, on ONNX Runtime ${found.version}` : found.reason,
    remedy: 'npm run native -w libs/ort-native',
  };
}

/** @returns {Check[]} */
function checkPair() {
  const folders = cudaFolders();
  const { core, libraries, missing } = findCudaLibraries(folders);
  const lacking = missing.filter((name) => !PAIR.some((half) => half === name));
  const remedy = `npm run native:install -- --cuda, or name folders that hold them in CLIP_CUDA_PATH`;
  return [
    {
      what: `ONNX Runtime ${ONNXRUNTIME_GPU_VERSION} for CUDA`,
      ok: core !== undefined,
      found: core ? path.dirname(core) : `not whole in any of ${folders.join(', ')}`,
      remedy,
    },
    {
      what: 'CUDA 13 and cuDNN 9 libraries',
      ok: lacking.length === 0,
      found: lacking.length === 0 ? `all ${libraries.length}` : `not found: ${lacking.join(', ')}`,
      remedy,
    },
    ...checkDriver(readDriver(), OLDEST_CUDA13_DRIVER),
    checkArchitecture(core),
  ];
}

/** Whether the provider has machine code for the GPU. @param {string | undefined} core @returns {Check} */
function checkArchitecture(core) {
  const what = 'code for the GPU';
  const { architecture } = readDriver();
  if (core === undefined) return { what, ok: false, found: 'there is no provider to look into' };
  const provider = path.join(path.dirname(core), 'libonnxruntime_providers_cuda.so');
  let compiled;
  try {
    compiled = architecturesOf(readContainers(readFileSync(provider)));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { what, ok: false, found: `${provider}: ${why}`, remedy: 'delete its folder and install again' };
  }
  const list = compiled.map((each) => `sm_${each}`).join(' ') || 'none';
  if (architecture === undefined) return { what, ok: false, found: `${list}; the GPU is not known` };
  return {
    what,
    ok: compiled.some((each) => runsOn(each, architecture)),
    found: `${list}; the GPU is sm_${architecture}`,
    remedy: 'ONNX Runtime publishes no code for this GPU; use --backend tfjs-node-gpu or the CPU',
  };
}

/** @param {Flavour} flavour */
const isGpu = ({ npmPackage }) => npmPackage === 'tfjs-node-gpu';

/** @param {boolean} gpu */
const installed = (gpu) => installedFlavour(nativePackageFolder(gpu ? 'tfjs-node-gpu' : 'tfjs-node'), gpu);

/** @param {Flavour} flavour @returns {Check} */
function checkTensorFlow(flavour) {
  const folder = path.join(librariesFolder(nativeCacheFolder(), flavour), 'lib');
  const wanted = [flavour.tensorflow, ...flavour.cuda].flatMap(({ libraries }) => libraries);
  const lacking = wanted
    .map((library) => (typeof library === 'string' ? library : library.to))
    .filter((library) => !existsSync(path.join(folder, library)));
  return {
    what: isGpu(flavour) ? 'TensorFlow, CUDA and cuDNN libraries' : 'TensorFlow libraries',
    ok: lacking.length === 0,
    found: lacking.length === 0 ? folder : `not in ${folder}: ${lacking.join(', ')}`,
    remedy: `npm run native:install${isGpu(flavour) ? ' -- --gpu' : ''}`,
  };
}

/** @param {Flavour} flavour @returns {Check[]} */
function checkTrial(flavour) {
  const folder = nativePackageFolder(flavour.npmPackage);
  const what = `@tensorflow/${flavour.npmPackage}`;
  if (!existsSync(path.join(folder, 'complete'))) {
    const remedy = `npm run native:install${isGpu(flavour) ? ' -- --gpu' : ''}`;
    return [{ what, ok: false, found: `not installed in ${folder}`, remedy }];
  }
  const { ok, seesGpu, detail, complaints } = tryBinding(folder, flavour);
  const checks = [
    { what, ok, found: detail, remedy: 'delete that folder and run npm run native:install again' },
  ];
  if (isGpu(flavour))
    checks.push({
      what: 'TensorFlow sees a GPU',
      ok: seesGpu,
      found: seesGpu ? 'yes' : ['no', ...complaints].join('\n         '),
      remedy: 'see the lines above',
    });
  return checks;
}

/**
 * By the name of the backend, the slowest that always works first. `optional` checks of a backend do not keep it from running.
 * @type {Record<string, { title: string, required: () => Check[], optional?: () => Check[] }>}
 */
export const BACKENDS = {
  onnxruntime: {
    title: 'the default: ONNX Runtime on the CPU, faster with the native addon',
    required: () => [checkOnnxRuntime()],
    optional: () => [checkCompiler(process.env.CXX ?? 'c++'), checkAddon()],
  },
  'onnxruntime-cuda': {
    title: 'ONNX Runtime on an NVIDIA GPU, in the native addon',
    required: () => [checkAddon(), ...checkPair()],
  },
  'tfjs-node': {
    title: 'TensorFlow on the CPU',
    required: () => [...checkTools(), checkTensorFlow(installed(false)), ...checkTrial(installed(false))],
  },
  'tfjs-node-gpu': {
    title: 'TensorFlow on an NVIDIA GPU',
    required: () => [
      ...checkTools(),
      checkTensorFlow(installed(true)),
      ...checkDriver(readDriver(), OLDEST_DRIVER),
      ...checkTrial(installed(true)),
    ],
  },
};

/**
 * `npm run native:install [-- --gpu | --cuda]`: the libraries of the optional backends. Nobody needs them: the trainer's own
 * backend installs with npm alone. See README.md in this folder for what it does.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  cudaCacheFolder,
  nativeCacheFolder,
  nativePackageFolder,
} from '../../apps/trainer/build/backend/native-folder.js';
import { findCudaLibraries } from '../../libs/ort-native/dist/index.js';
import { installBinding, tryBinding } from './binding.mjs';
import { CUDA13, CUDA_GIGABYTES, ONNXRUNTIME_GPU } from './cuda-wheels.mjs';
import { readDriver } from './driver.mjs';
import { chooseFlavour, recordFlavour } from './flavours.mjs';
import { installLibraries, InstallError, librariesFolder } from './libraries.mjs';
import { checkPlatform, checkSpace, checkTools, formatCheck } from './requirements.mjs';

const HELP = `Usage: npm run native:install [-- --gpu | --cuda] [--tensorflow 2.15 | 2.20]

Fetches TensorFlow's libraries from PyPI, @tensorflow/tfjs-node from npm, and compiles the binding between them.
Afterwards \`--backend tfjs-node\` works. Running it again is safe and continues where it stopped.

  --gpu    tfjs-node-gpu instead, with CUDA's and cuDNN's libraries (2.3 GB to fetch)
  --tensorflow VERSION  2.15 with CUDA 12.2 and cuDNN 8.9, or 2.20 with CUDA 12.5 and cuDNN 9.3. Default: 2.15, but 2.20
           for a GPU of sm_90 or newer, which 2.15 has no code for
  --cuda   ONNX Runtime for CUDA 13 with CUDA's libraries and cuDNN 9 (1.2 GB to fetch)
  --help   show this text

Files go to ${nativeCacheFolder()} (change it with CLIP_NATIVE_CACHE); delete that folder to uninstall.`;

const log = (/** @type {string} */ line) => console.log(`native:install: ${line}`);

/** @param {import('./requirements.mjs').Check[]} checks */
function assertAll(checks) {
  const missing = checks.filter(({ ok }) => !ok);
  if (missing.length > 0)
    throw new InstallError(
      `cannot start on this machine\n${missing.map((check) => formatCheck(check)).join('\n')}`,
    );
}

/** @param {import('./wheels.mjs').Flavour} flavour */
async function installTensorFlow(flavour) {
  const cache = nativeCacheFolder();
  assertAll([...checkTools(), checkSpace(cache, flavour.gigabytes)]);

  await mkdir(cache, { recursive: true });
  const libraries = librariesFolder(cache, flavour);
  await installLibraries(libraries, [flavour.tensorflow, ...flavour.cuda], log);
  const folder = nativePackageFolder(flavour.npmPackage);
  await installBinding(folder, libraries, flavour, log);
  recordFlavour(folder, flavour);
  const { ok, seesGpu, detail } = tryBinding(folder, flavour);
  if (!ok) throw new InstallError(`the binding was built but does not run: ${detail}`);
  log(`@tensorflow/${flavour.npmPackage} runs (${detail}); use --backend ${flavour.npmPackage}`);
  if (flavour.npmPackage === 'tfjs-node-gpu' && !seesGpu)
    log('it sees no GPU; npm run native:doctor -- --backend tfjs-node-gpu says why');
}

async function installCuda() {
  const folder = path.dirname(cudaCacheFolder());
  assertAll([...checkPlatform(), checkSpace(nativeCacheFolder(), CUDA_GIGABYTES)]);
  await mkdir(nativeCacheFolder(), { recursive: true });
  await installLibraries(folder, [ONNXRUNTIME_GPU, ...CUDA13], log);
  const { core, missing } = findCudaLibraries([cudaCacheFolder()]);
  if (core === undefined || missing.length > 0) {
    throw new InstallError(
      `${folder} is marked complete but lacks ${missing.join(', ')}; delete it and run the command again`,
    );
  }
  log(
    `ONNX Runtime for CUDA lies in ${folder}; npm run native:doctor -- --backend onnxruntime-cuda says more`,
  );
}

try {
  const options = /** @type {const} */ ({
    gpu: { type: 'boolean' },
    cuda: { type: 'boolean' },
    tensorflow: { type: 'string' },
    help: { type: 'boolean' },
  });
  const { values } = parseArgs({ options });
  if (values.help) console.log(HELP);
  else if (values.cuda) await installCuda();
  else {
    const { gpu = false, tensorflow } = values;
    await installTensorFlow(chooseFlavour({ gpu, tensorflow, architecture: readDriver().architecture }));
  }
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`native:install: ${error.message}`);
  process.exitCode = 1;
}

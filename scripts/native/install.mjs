/**
 * `npm run native:install [-- --gpu]`: makes @tensorflow/tfjs-node (or tfjs-node-gpu) run on a current TensorFlow.
 * Nobody needs it: the trainer's own backend installs with npm alone. See README.md in this folder for what it does.
 */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { nativeCacheFolder, nativePackageFolder } from '../../apps/trainer/dist/backend/native-folder.js';
import { installBinding, tryBinding } from './binding.mjs';
import { installLibraries, InstallError } from './libraries.mjs';
import { checkSpace, checkTools, formatCheck } from './requirements.mjs';
import { CPU, GPU } from './wheels.mjs';

const HELP = `Usage: npm run native:install [-- --gpu]

Fetches TensorFlow's libraries from PyPI, @tensorflow/tfjs-node from npm, and compiles the binding between them.
Afterwards \`--backend tfjs-node\` works. Running it again is safe and continues where it stopped.

  --gpu    tfjs-node-gpu instead, with the CUDA 12.2 and cuDNN 8.9 libraries (2.3 GB to fetch)
  --help   show this text

Files go to ${nativeCacheFolder()} (change it with CLIP_NATIVE_CACHE); delete that folder to uninstall.`;

const log = (/** @type {string} */ line) => console.log(`native:install: ${line}`);

/** @param {import('./wheels.mjs').Flavour} flavour */
async function install(flavour) {
  const cache = nativeCacheFolder();
  const missing = [...checkTools(), checkSpace(cache, flavour.gigabytes)].filter(({ ok }) => !ok);
  if (missing.length > 0)
    throw new InstallError(`cannot start on this machine\n${missing.map(formatCheck).join('\n')}`);

  await mkdir(cache, { recursive: true });
  const libraries = await installLibraries(cache, flavour, log);
  const folder = nativePackageFolder(flavour.npmPackage);
  await installBinding(folder, libraries, flavour, log);
  const { ok, seesGpu, detail } = tryBinding(folder, flavour);
  if (!ok) throw new InstallError(`the binding was built but does not run: ${detail}`);
  log(`@tensorflow/${flavour.npmPackage} runs (${detail}); use --backend ${flavour.npmPackage}`);
  if (flavour === GPU && !seesGpu) log('it sees no GPU; npm run native:doctor -- --gpu shows why');
}

try {
  const { values } = parseArgs({ options: { gpu: { type: 'boolean' }, help: { type: 'boolean' } } });
  if (values.help) console.log(HELP);
  else await install(values.gpu ? GPU : CPU);
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`native:install: ${error.message}`);
  process.exitCode = 1;
}

/** Which TensorFlow the optional packages are built with: 2.15, or 2.20, which has machine code for Hopper. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { InstallError } from './libraries.mjs';
import { CPU, GPU } from './wheels.mjs';
import { CPU_2_20, GPU_2_20 } from './wheels-2.20.mjs';

/** @typedef {import('./wheels.mjs').Flavour} Flavour */

const HOPPER = 90;

/** By `--tensorflow`. @type {Record<string, { cpu: Flavour, gpu: Flavour }>} */
const VERSIONS = { 2.15: { cpu: CPU, gpu: GPU }, '2.20': { cpu: CPU_2_20, gpu: GPU_2_20 } };

/**
 * What to install. Without a version it is 2.15, but for a GPU that 2.15 has no code for.
 * @param {{ gpu: boolean, tensorflow?: string, architecture?: number }} wanted  architecture of the GPU: 90 for sm_90
 */
export function chooseFlavour({ gpu, tensorflow, architecture = 0 }) {
  const version = tensorflow ?? (gpu && architecture >= HOPPER ? '2.20' : '2.15');
  const flavours = Object.hasOwn(VERSIONS, version) ? VERSIONS[version] : undefined;
  if (flavours === undefined)
    throw new InstallError(
      `--tensorflow must be one of ${Object.keys(VERSIONS).sort().join(', ')}; found '${version}'`,
    );
  return gpu ? flavours.gpu : flavours.cpu;
}

/** In the package's folder: the version that its binding was built with last. */
const RECORD = 'tensorflow-version';

/** @param {string} folder  of the package @param {Flavour} flavour */
export const recordFlavour = (folder, { tensorflow }) =>
  writeFileSync(path.join(folder, RECORD), tensorflow.version);

/** What was installed last; 2.15 where nothing was. @param {string} folder  of the package @param {boolean} gpu */
export function installedFlavour(folder, gpu) {
  const record = path.join(folder, RECORD);
  const version = existsSync(record) ? readFileSync(record, 'utf8') : '';
  const flavours = Object.values(VERSIONS).map((each) => (gpu ? each.gpu : each.cpu));
  return flavours.find(({ tensorflow }) => tensorflow.version === version) ?? (gpu ? GPU : CPU);
}

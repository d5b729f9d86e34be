/**
 * `npm run native:doctor [-- --gpu]`: reports which parts of the native TensorFlow packages are installed, what is
 * missing and what to do about it. Changes nothing. Exit code 0 when the chosen package runs (with --gpu: and sees a
 * GPU), else 1.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { nativeCacheFolder, nativePackageFolder } from '../../apps/trainer/dist/backend/native-folder.js';
import { tryBinding } from './binding.mjs';
import { librariesFolder } from './libraries.mjs';
import { checkTools, formatCheck } from './requirements.mjs';
import { CPU, GPU, OLDEST_DRIVER } from './wheels.mjs';

/** @typedef {import('./requirements.mjs').Check} Check */
/** @typedef {import('./wheels.mjs').Flavour} Flavour */

/** @param {Flavour} flavour @returns {Check} */
function checkLibraries(flavour) {
  const folder = path.join(librariesFolder(nativeCacheFolder(), flavour), 'lib');
  const wanted = [flavour.tensorflow, ...flavour.cuda].flatMap(({ libraries }) => libraries);
  const lacking = wanted.filter((library) => !existsSync(path.join(folder, library)));
  return {
    what: flavour === GPU ? 'TensorFlow, CUDA and cuDNN libraries' : 'TensorFlow libraries',
    ok: lacking.length === 0,
    found: lacking.length === 0 ? folder : `not in ${folder}: ${lacking.join(', ')}`,
    remedy: `npm run native:install${flavour === GPU ? ' -- --gpu' : ''}`,
  };
}

/** The NVIDIA driver, which no package index carries. @returns {Check[]} */
function checkDriver() {
  const versionFile = '/proc/driver/nvidia/version';
  const version = existsSync(versionFile)
    ? / (\d+)\.[\d.]+ /.exec(readFileSync(versionFile, 'utf8'))?.[1]
    : undefined;
  const devices = readdirSync('/dev').filter((name) => /^nvidia\d+$/.test(name));
  return [
    {
      what: 'NVIDIA driver',
      ok: Number(version) >= OLDEST_DRIVER,
      found: version ? `major version ${version}` : `none (${versionFile} does not exist)`,
      remedy: `install an NVIDIA driver of version ${OLDEST_DRIVER} or newer`,
    },
    {
      what: 'GPU device',
      ok: devices.length > 0,
      found: devices.length > 0 ? devices.map((name) => `/dev/${name}`).join(', ') : 'no /dev/nvidia0',
      remedy: 'in a container, start it with GPU access (docker run --gpus all)',
    },
  ];
}

/** @param {Flavour} flavour @returns {Check[]} */
function checkTrial(flavour) {
  const folder = nativePackageFolder(flavour.npmPackage);
  const what = `@tensorflow/${flavour.npmPackage}`;
  if (!existsSync(path.join(folder, 'complete')))
    return [{ what, ok: false, found: `not installed in ${folder}`, remedy: 'npm run native:install' }];
  const { ok, seesGpu, detail, complaints } = tryBinding(folder, flavour);
  const checks = [
    { what, ok, found: detail, remedy: 'delete that folder and run npm run native:install again' },
  ];
  if (flavour === GPU)
    checks.push({
      what: 'TensorFlow sees a GPU',
      ok: seesGpu,
      found: seesGpu ? 'yes' : ['no', ...complaints].join('\n         '),
      remedy: 'see the lines above',
    });
  return checks;
}

const { values } = parseArgs({ options: { gpu: { type: 'boolean' } } });
const flavour = values.gpu ? GPU : CPU;
const checks = [
  ...checkTools(),
  checkLibraries(flavour),
  ...(flavour === GPU ? checkDriver() : []),
  ...checkTrial(flavour),
];
console.log(checks.map(formatCheck).join('\n'));
const missing = checks.filter(({ ok }) => !ok).length;
console.log(
  missing === 0 ? `\n--backend ${flavour.npmPackage} is ready` : `\n${missing} of ${checks.length} missing`,
);
process.exitCode = missing === 0 ? 0 : 1;

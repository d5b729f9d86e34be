/**
 * The npm package @tensorflow/tfjs-node(-gpu) without its install script, and its binding (two C++ files over
 * TensorFlow's C API), compiled here against the libraries in the cache and put where the package looks for it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { InstallError, run } from './libraries.mjs';
import { NODE_API_HEADERS_VERSION, TFJS_NODE_VERSION } from './wheels.mjs';

/** @typedef {import('./wheels.mjs').Flavour} Flavour */

/**
 * Installs the npm package into `folder`/node_modules, unless that version is there. Returns the package's folder.
 * @param {string} folder @param {Flavour} flavour @param {(line: string) => void} log
 */
async function installPackage(folder, flavour, log) {
  const name = `@tensorflow/${flavour.npmPackage}`;
  const packageFolder = path.join(folder, 'node_modules', name);
  if (existsSync(path.join(folder, 'complete'))) return packageFolder;
  log(`installing ${name} ${TFJS_NODE_VERSION} from npm`);
  await mkdir(folder, { recursive: true });
  await writeFile(
    path.join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      dependencies: { [name]: TFJS_NODE_VERSION, 'node-api-headers': NODE_API_HEADERS_VERSION },
    }),
  );
  run(
    'npm',
    ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder],
    `npm could not install ${name} ${TFJS_NODE_VERSION}. Check that this machine reaches an npm registry, then run the command again.`,
    folder,
  );
  await writeFile(path.join(folder, 'complete'), '');
  return packageFolder;
}

/**
 * Where the package expects its binding for this Node.js, as its own loader computes it.
 * @param {string} packageFolder
 * @returns {{ file: string, napiVersion: string }}
 */
function bindingPlace(packageFolder) {
  const requireFromPackage = createRequire(path.join(packageFolder, 'package.json'));
  /** @type {{ find(packageJson: string): string }} */
  const preGyp = requireFromPackage('@mapbox/node-pre-gyp');
  const file = preGyp.find(path.join(packageFolder, 'package.json'));
  const napiVersion = /napi-v(\d+)/.exec(file)?.[1];
  if (!napiVersion) throw new InstallError(`unexpected place for the binding: ${file}`);
  return { file, napiVersion };
}

/**
 * Installs the package into `folder` and compiles its binding against `libraries` (a folder with lib and include),
 * unless a binding for the same libraries is there.
 * @param {string} folder @param {string} libraries @param {Flavour} flavour @param {(line: string) => void} log
 */
export async function installBinding(folder, libraries, flavour, log) {
  const packageFolder = await installPackage(folder, flavour, log);
  const { file, napiVersion } = bindingPlace(packageFolder);
  const stamp = `${file}.built-with`;
  const builtWith = `${flavour.tensorflow.name} ${flavour.tensorflow.version} ${flavour.tensorflow.sha256}\n`;
  if (existsSync(file) && existsSync(stamp) && (await readFile(stamp, 'utf8')) === builtWith) return;

  log('compiling the binding');
  await mkdir(path.dirname(file), { recursive: true });
  const source = (/** @type {string} */ name) => path.join(packageFolder, 'binding', name);
  run(
    'g++',
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-fno-exceptions', '-fno-rtti'],
      ...[
        `-DNAPI_VERSION=${napiVersion}`,
        '-DNODE_GYP_MODULE_NAME=tfjs_binding',
        '-DBUILDING_NODE_EXTENSION',
      ],
      `-I${path.join(folder, 'node_modules/node-api-headers/include')}`,
      `-I${path.join(libraries, 'include')}`,
      ...[source('tfjs_backend.cc'), source('tfjs_binding.cc')],
      ...[`-L${path.join(libraries, 'lib')}`, '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
      `-Wl,-rpath,$ORIGIN/${path.relative(path.dirname(file), path.join(libraries, 'lib'))}`,
      ...['-o', `${file}.partial`],
    ],
    'the binding did not compile; the compiler needs C++17 (g++ 9 or newer)',
  );
  await rename(`${file}.partial`, file);
  await rm(stamp, { force: true });
  await writeFile(stamp, builtWith);
}

/**
 * @typedef {object} Trial
 * @property {boolean} ok
 * @property {boolean} seesGpu
 * @property {string} detail  TensorFlow's version, or what went wrong
 * @property {string[]} complaints  lines of TensorFlow about GPU libraries it could not load
 */

/**
 * Loads the installed package in a process of its own and multiplies two matrices.
 * @param {string} folder @param {Flavour} flavour
 * @returns {Trial}
 */
export function tryBinding(folder, flavour) {
  const program = `
    const tf = require('@tensorflow/${flavour.npmPackage}');
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const { isUsingGpuDevice, binding } = tf.backend();
    console.log(JSON.stringify({ product: tf.matMul(a, a).dataSync().join(), isUsingGpuDevice, version: binding.TF_Version }));`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', '-e', program], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' },
  });
  const lines = stderr.split('\n').filter(Boolean);
  const complaints = lines.filter((line) =>
    /could not load dynamic library|cannot dlopen|failed call to cu/i.test(line),
  );
  if (status !== 0) {
    const why =
      lines.find((line) => /error/i.test(line)) ??
      lines.at(-1) ??
      `ended by ${signal ?? `exit code ${status}`}`;
    return { ok: false, seesGpu: false, detail: why.trim(), complaints };
  }
  /** @type {{ product: string, isUsingGpuDevice: boolean, version: string }} */
  const { product, isUsingGpuDevice, version } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}');
  const ok = product === '7,10,15,22' && version === flavour.tensorflow.version;
  return {
    ok,
    seesGpu: isUsingGpuDevice,
    detail: `TensorFlow ${version}, [[1,2],[3,4]]² = ${product}`,
    complaints,
  };
}

/**
 * Compiles the addon with one call of the C++ compiler ($CXX, or c++) into build/ort-native.node.
 *   node libs/ort-native/build.mjs                   prints the compiler's messages, exits with its status
 *   node libs/ort-native/build.mjs --if-possible     on install: only where it was made of anything else, and never an error
 *   node libs/ort-native/build.mjs --sanitize        ASan and UBSan, into build/ort-native.sanitized.node
 *   node libs/ort-native/build.mjs --target avx2     for one instruction set alone (avx2 or baseline), into
 *                                                    build/ort-native.avx2.node, which ORT_NATIVE_ADDON makes tests use
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

const require = createRequire(import.meta.url);
/** @type {{ include_dir: string }} */
const headers = require('node-api-headers');

const native = join(import.meta.dirname, 'native');
const build = join(import.meta.dirname, 'build');
const sanitize = process.argv.includes('--sanitize');
/** What the compiler is told for one instruction set; machines of any kind choose among all of them otherwise. */
const TARGETS = { avx2: ['-mavx2', '-mfma'], baseline: [] };
const target = targetNamed(
  process.argv[process.argv.indexOf('--target') + 1],
  process.argv.includes('--target'),
);
const ifPossible = process.argv.includes('--if-possible');
mkdirSync(build, { recursive: true });
const variant = sanitize ? '.sanitized' : target ? `.${target}` : '';
const output = join(build, `ort-native${variant}.node`);
const sources = readdirSync(native).map((name) => join(native, name));
const compiler = process.env.CXX ?? 'c++';
/** What the addon in build/ was made of; a failure to compile leaves that of the old one. */
const stateFile = `${output}.state`;
const state = contentHash();
const isCurrent = existsSync(output) && existsSync(stateFile) && readFileSync(stateFile, 'utf8') === state;

if (!(ifPossible && isCurrent)) {
  // A process that has the old file open keeps it; a compiler that fails leaves the old file.
  const partial = `${output}.${process.pid}`;
  const { status, error } = spawnSync(compiler, compilerArguments(partial), {
    stdio: ifPossible ? ['ignore', 'ignore', 'pipe'] : 'inherit',
    encoding: 'utf8',
  });
  if (status === 0) {
    renameSync(partial, output);
    writeFileSync(stateFile, state);
  } else rmSync(partial, { force: true });
  if (error) console.error(`ort-native: no C++ compiler (${error.message})`);
  if (ifPossible) {
    console.log(
      status === 0
        ? 'ort-native: the native addon was compiled'
        : 'ort-native: not compiled, training and serving run without it (npm run native -w libs/ort-native says why)',
    );
  } else {
    process.exitCode = status ?? 1;
  }
}

/** A hash of sources, headers, the compiler and what it is told: times of change say nothing after a checkout. */
function contentHash() {
  const hash = createHash('sha256');
  hash.update(spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout ?? '');
  for (const path of [import.meta.filename, require.resolve('node-api-headers/package.json'), ...sources])
    hash.update(`\0${basename(path)}\0`).update(readFileSync(path));
  return hash.digest('hex');
}

/**
 * @param {string | undefined} name
 * @param {boolean} given
 * @returns {keyof typeof TARGETS | undefined}
 */
function targetNamed(name, given) {
  if (!given) return undefined;
  if (name === 'avx2' || name === 'baseline') return name;
  throw new Error(`--target ${name ?? ''}: expected ${Object.keys(TARGETS).join(' or ')}`);
}

/** @param {string} file */
function compilerArguments(file) {
  return [
    ...['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden', '-Wall', '-Wextra'],
    // Square roots and comparisons without errno and traps vectorise; results stay those of IEEE 754.
    ...['-fno-math-errno', '-fno-trapping-math'],
    ...(sanitize ? ['-g', '-fsanitize=address,undefined', '-DORT_NATIVE_NO_CLONES'] : []),
    ...(target ? ['-DORT_NATIVE_NO_CLONES', ...TARGETS[target]] : []),
    ...['-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=ort_native', `-I${headers.include_dir}`],
    ...sources.filter((path) => path.endsWith('.cc')),
    ...['-o', file, '-ldl'],
  ];
}

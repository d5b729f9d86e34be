/**
 * `npm run gpu:pack [-- --architecture 90] [--output FOLDER]`: all that gpu:check needs on a machine where nothing can be
 * fetched, as archives below 60 MB each. CUDA's libraries stay out: there they are those of PyTorch's `nvidia-*` wheels.
 *
 *   gpu-program.tar.xz  Node.js, this build, the packages that it needs
 *   gpu-cuda.tar.xz     ONNX Runtime for CUDA, with machine code for one architecture (`--no-cuda`: left out)
 *
 * There: `tar xf gpu-program.tar.xz; tar xf gpu-cuda.tar.xz; gpu-check/check.sh`. The provider keeps the kernels of sources that
 * are compiled for sm_80 too; what exists for sm_90 alone (mixture of experts and quantised products of language models)
 * and other architectures' code is zeros.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cudaFolders } from '../../apps/trainer/build/backend/native-folder.js';
import { findCudaLibraries, PAIR } from '../../libs/ort-native/dist/index.js';
import { prune } from '../native/fatbin.mjs';
import { copyPackages } from './packages.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIMIT_MB = 60;

const CHECK = `#!/bin/sh
# The CUDA libraries come from this folder and from PyTorch's wheels; PYTHON names the interpreter that has it.
here=$(cd "$(dirname "$0")" && pwd) && exec "$here/bin/node" "$here/scripts/gpu/check.mjs" "$@"
`;

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function run(command, args, cwd) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0)
    throw new Error(
      `${command} failed: ${error?.message ?? (signal ? `ended by ${signal}` : `status ${status}`)}`,
    );
}

/** Node.js itself, without its symbols where `strip` is there. @param {string} target */
function copyNode(target) {
  mkdirSync(path.dirname(target), { recursive: true });
  cpSync(process.execPath, target, { dereference: true });
  chmodSync(target, 0o755);
  spawnSync('strip', [target], { stdio: 'ignore' });
}

/** @param {string} folder */
function copyProgram(folder) {
  copyNode(path.join(folder, 'bin/node'));
  copyPackages(ROOT, folder, ['apps/trainer']);
  for (const part of ['package.json', 'LICENSE', 'THIRD_PARTY.md', 'input', 'scripts/gpu', 'scripts/native'])
    cpSync(path.join(ROOT, part), path.join(folder, part), { recursive: true });
  for (const part of ['gpu-check', 'train-step', 'shared', 'peers'])
    cpSync(path.join(ROOT, 'bench', part), path.join(folder, 'bench', part), { recursive: true });
  writeFileSync(path.join(folder, 'check.sh'), CHECK, { mode: 0o755 });
}

/** @param {string} folder @param {number} architecture */
function copyCuda(folder, architecture) {
  const { core } = findCudaLibraries(cudaFolders());
  if (core === undefined)
    throw new Error('ONNX Runtime for CUDA is not here. Fetch it with: npm run native:install -- --cuda');
  mkdirSync(folder, { recursive: true });
  for (const name of PAIR) cpSync(path.join(path.dirname(core), name), path.join(folder, name));
  const provider = path.join(folder, 'libonnxruntime_providers_cuda.so');
  const file = readFileSync(provider);
  const { kept, dropped } = prune(file, architecture, (entries) =>
    entries.some((entry) => entry.architecture < 90),
  );
  if (kept === 0) throw new Error(`the provider has no machine code for sm_${architecture}`);
  writeFileSync(provider, file);
  console.log(
    `gpu:pack: ${(kept / 1e6).toFixed(0)} MB of GPU code kept, ${(dropped / 1e6).toFixed(0)} MB left out`,
  );
}

/** @param {string} output @param {string} name @param {string} member */
function archive(output, name, member) {
  const file = path.join(output, name);
  const partial = `${file}.partial`;
  try {
    run('tar', ['--create', '--xz', '--file', partial, '--owner=0', '--group=0', member], output);
    run('xz', ['--test', '--format=xz', partial]);
    const megabytes = statSync(partial).size / 1e6;
    if (megabytes >= LIMIT_MB)
      throw new Error(`${name} would take ${megabytes.toFixed(1)} MB, and must be below ${LIMIT_MB} MB`);
    renameSync(partial, file);
    console.log(`gpu:pack: ${file}: ${megabytes.toFixed(1)} MB`);
  } finally {
    rmSync(partial, { force: true });
  }
}

const { values } = parseArgs({
  options: {
    architecture: { type: 'string', default: '90' },
    output: { type: 'string', default: 'data/gpu-pack' },
    'no-cuda': { type: 'boolean', default: false },
  },
});
try {
  const architecture = Number(values.architecture);
  if (!Number.isInteger(architecture) || architecture < 75)
    throw new TypeError(
      `--architecture must be a number such as 90 for sm_90, found '${values.architecture}'`,
    );
  const output = path.resolve(values.output);
  const folder = path.join(output, 'gpu-check');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyProgram(folder);
  archive(output, 'gpu-program.tar.xz', 'gpu-check');
  if (!values['no-cuda']) {
    rmSync(folder, { recursive: true });
    copyCuda(path.join(folder, 'cuda'), architecture);
    archive(output, 'gpu-cuda.tar.xz', 'gpu-check');
  }
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`gpu:pack: ${error.message}`);
  process.exitCode = 1;
} finally {
  // What was packed is in the archives.
  rmSync(path.resolve(values.output, 'gpu-check'), { recursive: true, force: true });
}

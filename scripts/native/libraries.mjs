/**
 * Shared libraries out of wheels that pip fetches, and TensorFlow's C headers with them. Everything lies flat in one lib folder: the libraries look for each other at $ORIGIN first, so neither
 * LD_LIBRARY_PATH nor an installed CUDA is needed. Resumable by wheel: what was fetched, verified and unpacked is not fetched again.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PYTHON_TAG } from './wheels.mjs';

/** @typedef {import('./wheels.mjs').Wheel} Wheel */
/** @typedef {import('./wheels.mjs').Flavour} Flavour */

/** A step of the install that failed; its message says what to do. */
export class InstallError extends Error {}

/** @param {string} file */
const exists = (file) =>
  access(file).then(
    () => true,
    () => false,
  );

/** The folder for the libraries of a flavour. @param {string} cache @param {Flavour} flavour */
export const librariesFolder = (cache, { tensorflow }) =>
  path.join(cache, `${tensorflow.name}-${tensorflow.version}`);

/** Runs a program with its output shown; its failure is an InstallError with `message`.
 * @param {string} command @param {string[]} args @param {string} message @param {string} [cwd] */
export function run(command, args, message, cwd) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], cwd });
  if (status !== 0) throw new InstallError(error ? `${message} (${error.message})` : message);
}

/** @param {string} file */
async function sha256(file) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** The wheel's file in `folder`, when it is there and whole. @param {Wheel} wheel @param {string} folder */
async function findWheel(wheel, folder) {
  const prefix = `${wheel.name.replaceAll('-', '_')}-${wheel.version}-`;
  const name = (await readdir(folder)).find((file) => file.startsWith(prefix) && file.endsWith('.whl'));
  if (!name) return undefined;
  const file = path.join(folder, name);
  return (await sha256(file)) === wheel.sha256 ? file : undefined;
}

/**
 * Fetches one wheel into `folder` with pip, which verifies its hash, and returns its path.
 * @param {Wheel} wheel @param {string} folder @param {(line: string) => void} log
 */
async function fetchWheel(wheel, folder, log) {
  const present = await findWheel(wheel, folder);
  if (present) return present;
  log(`fetching ${wheel.name} ${wheel.version}`);
  const requirements = path.join(folder, `${wheel.name}.txt`);
  await writeFile(requirements, `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  const abi = `cp${PYTHON_TAG.replace('.', '')}`;
  const platforms = [28, 27, 17].map((glibc) => `manylinux_2_${glibc}_x86_64`);
  platforms.push('manylinux2014_x86_64', 'manylinux1_x86_64');
  run(
    'python3',
    [
      ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '--no-deps'],
      ...['--only-binary=:all:', '--implementation', 'cp', '--python-version', PYTHON_TAG],
      ...['--abi', abi, '--abi', 'none', ...platforms.flatMap((platform) => ['--platform', platform])],
      ...['--dest', folder, '--requirement', requirements],
    ],
    `pip could not fetch ${wheel.name} ${wheel.version}. Check that this machine reaches a package index, then run the command again: what was fetched is kept.`,
  );
  const file = await findWheel(wheel, folder);
  if (!file)
    throw new InstallError(`pip fetched no wheel of ${wheel.name} ${wheel.version} with the pinned SHA-256`);
  return file;
}

/**
 * Unpacks `wheel` and moves its libraries (and TensorFlow's C headers) into `target`.
 * @param {Wheel} wheel @param {string} file @param {string} target
 */
async function unpackWheel(wheel, file, target) {
  const unpacked = `${target}/unpacked`;
  await rm(unpacked, { recursive: true, force: true });
  run('python3', ['-m', 'zipfile', '-e', file, unpacked], `${path.basename(file)} could not be unpacked`);

  const files = await readdir(unpacked, { recursive: true });
  for (const library of wheel.libraries) {
    const { from, to } = typeof library === 'string' ? { from: library, to: library } : library;
    const found = files.find((name) => path.basename(name) === from);
    if (!found) throw new InstallError(`${path.basename(file)} holds no ${from}`);
    await rename(path.join(unpacked, found), path.join(target, 'lib', to));
  }
  const headers = path.join(unpacked, 'tensorflow/include');
  if (await exists(headers)) {
    for (const part of ['tensorflow/c', 'tensorflow/core/platform', 'tsl/c', 'tsl/platform', 'xla/tsl']) {
      const from = path.join(headers, part);
      if (await exists(from)) await cp(from, path.join(target, 'include', part), { recursive: true });
    }
  }
  await rm(unpacked, { recursive: true, force: true });
}

/**
 * Puts the libraries of these wheels into `folder`/lib, unless they are there. What was fetched stays in `folder`.partial until
 * all of it is in place.
 * @param {string} folder @param {readonly Wheel[]} wheels @param {(line: string) => void} log
 */
export async function installLibraries(folder, wheels, log) {
  if (await exists(path.join(folder, 'complete'))) return;

  const partial = `${folder}.partial`;
  const downloads = path.join(partial, 'wheels');
  for (const part of ['wheels', 'lib', 'include']) await mkdir(path.join(partial, part), { recursive: true });
  for (const wheel of wheels) {
    const unpacked = path.join(downloads, `${wheel.name}-${wheel.sha256}.unpacked`);
    if (await exists(unpacked)) continue;
    const file = await fetchWheel(wheel, downloads, log);
    log(`unpacking ${wheel.name}`);
    await unpackWheel(wheel, file, partial);
    await writeFile(unpacked, '');
    await rm(file);
  }
  await rm(downloads, { recursive: true });
  await writeFile(path.join(partial, 'complete'), '');
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
}

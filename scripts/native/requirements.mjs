/** What the machine must have before anything is fetched: platform, Node.js, pip, npm, a compiler and room on the disk. */
import { spawnSync } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { nodeVersionProblem } from '../../apps/trainer/build/backend/native-folder.js';

/**
 * @typedef {object} Check
 * @property {string} what     what was looked for
 * @property {boolean} ok
 * @property {string} found    what is there, or what is wrong
 * @property {string} [remedy] what to do when it is not ok
 */

/** @type {Map<string, string | undefined>} */
const answers = new Map();

/**
 * A program's first line of output, or undefined when it cannot be run. Each question is put once.
 * @param {string} command
 * @param {string[]} args
 */
export function firstLine(command, args) {
  const question = [command, ...args].join(' ');
  if (!answers.has(question)) {
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
    answers.set(question, status === 0 ? (stdout.split('\n')[0] ?? '').trim() : undefined);
  }
  return answers.get(question);
}

/**
 * @param {string} what
 * @param {string | undefined} found
 * @param {string} remedy
 * @returns {Check}
 */
const program = (what, found, remedy) =>
  found === undefined ? { what, ok: false, found: 'missing', remedy } : { what, ok: true, found };

/** What fetching wheels needs. @returns {Check[]} */
export function checkPlatform() {
  const platform = `${process.platform}-${process.arch}`;
  return [
    {
      what: 'platform',
      ok: platform === 'linux-x64',
      found: platform,
      remedy: 'the libraries are published for linux-x64 only; use --backend onnxruntime here',
    },
    program(
      'python3',
      firstLine('python3', ['--version']),
      'install Python 3 (Debian: apt-get install python3)',
    ),
    program(
      'pip',
      firstLine('python3', ['-m', 'pip', '--version'])?.split(' from ')[0],
      'install pip for python3 (Debian: apt-get install python3-pip)',
    ),
  ];
}

/** The compiler of the native parts. @param {string} [command] @returns {Check} */
export const checkCompiler = (command = 'g++') =>
  program(
    `compiler ${command}`,
    firstLine(command, ['--version']),
    'install a C++17 compiler (Debian: apt-get install g++)',
  );

/** What TensorFlow's packages need: the platform and the programs. @returns {Check[]} */
export function checkTools() {
  const nodeProblem = nodeVersionProblem();
  return [
    ...checkPlatform(),
    { what: 'node', ok: !nodeProblem, found: process.versions.node, remedy: nodeProblem },
    program('npm', firstLine('npm', ['--version']), 'install npm'),
    checkCompiler(),
  ];
}

/**
 * Whether `gigabytes` are free where `folder` is or will be.
 * @param {string} folder
 * @param {number} gigabytes
 * @returns {Check}
 */
export function checkSpace(folder, gigabytes) {
  let existing = folder;
  while (!existsSync(existing)) existing = path.dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const free = (bavail * bsize) / 1e9;
  return {
    what: 'disk',
    ok: free >= gigabytes,
    found: `${free.toFixed(1)} GB free in ${existing}, ${gigabytes} GB needed`,
    remedy: 'free some space, or set CLIP_NATIVE_CACHE to a folder on another disk',
  };
}

/** One line per check, and a second with the advice. @param {Check} check @param {string} [absent] */
export const formatCheck = ({ what, ok, found, remedy }, absent = 'MISSING') =>
  `${ok ? 'ok     ' : absent}  ${what}: ${found}${ok || !remedy ? '' : `\n         ${remedy}`}`;

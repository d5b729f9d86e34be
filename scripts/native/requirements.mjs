/** What the machine must have before anything is fetched: platform, Node.js, pip, npm, g++ and room on the disk. */
import { spawnSync } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { nodeVersionProblem } from '../../apps/trainer/dist/backend/native-folder.js';

/**
 * @typedef {object} Check
 * @property {string} what     what was looked for
 * @property {boolean} ok
 * @property {string} found    what is there, or what is wrong
 * @property {string} [remedy] what to do when it is not ok
 */

/**
 * A program's first line of output, or undefined when it cannot be run.
 * @param {string} command
 * @param {string[]} args
 */
function firstLine(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? (stdout.split('\n')[0] ?? '').trim() : undefined;
}

/**
 * @param {string} what
 * @param {string | undefined} found
 * @param {string} remedy
 * @returns {Check}
 */
const program = (what, found, remedy) =>
  found === undefined ? { what, ok: false, found: 'missing', remedy } : { what, ok: true, found };

/** The platform and the programs. @returns {Check[]} */
export function checkTools() {
  const platform = `${process.platform}-${process.arch}`;
  const nodeProblem = nodeVersionProblem();
  return [
    {
      what: 'platform',
      ok: platform === 'linux-x64',
      found: platform,
      remedy: 'TensorFlow publishes the needed libraries for linux-x64 only; use --backend onnxruntime here',
    },
    { what: 'node', ok: !nodeProblem, found: process.versions.node, remedy: nodeProblem },
    program('npm', firstLine('npm', ['--version']), 'install npm'),
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
    program('g++', firstLine('g++', ['--version']), 'install a C++17 compiler (Debian: apt-get install g++)'),
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

/** One line per check. @param {Check} check */
export const formatCheck = ({ what, ok, found, remedy }) =>
  `${ok ? 'ok     ' : 'MISSING'}  ${what}: ${found}${ok || !remedy ? '' : `\n         ${remedy}`}`;

/**
 * Where tests write their files: in memory, where the machine has a file system there with room to spare. Most tests of
 * the service begin with a copy of a database, 1,000 files of 38 MB that live for seconds, and a disk that others use
 * takes a second for that. What a killed process leaves is the same in both places; no test cuts the power.
 */
import { accessSync, constants, mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** All tests together have not been seen to use a quarter of it. */
const NEEDED_BYTES = 2e9;
const PREFIX = `clip-ts-tests-${userInfo().uid}-`;

/** The folder of this run, which need not exist yet; undefined where tests write to the system's temporary folder. */
export const testFolder = hasRoom() ? join(MEMORY, PREFIX + process.pid) : undefined;

function hasRoom() {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= NEEDED_BYTES;
  } catch {
    return false;
  }
}

/** For vitest: makes the folder, and returns what removes it. Folders of runs that were killed go first. */
export default function setup() {
  if (testFolder === undefined) return undefined;
  for (const name of readdirSync(MEMORY)) {
    if (name.startsWith(PREFIX) && !runs(Number(name.slice(PREFIX.length)))) {
      rmSync(join(MEMORY, name), { recursive: true, force: true });
    }
  }
  mkdirSync(testFolder, { recursive: true });
  return () => rmSync(testFolder, { recursive: true, force: true });
}

/** @param {number} pid */
function runs(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

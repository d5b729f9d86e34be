/**
 * Thread that touches the lock of a folder as long as the process owns it. When another process has taken the lock, or
 * it could not be touched for so long that one may have, the process is killed: it must not write to the folder again.
 */
import { readFileSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { HeartbeatSettings } from './folder-lock.js';

const { path, lease, token, beat, stale, released } = workerData as HeartbeatSettings;
const flag = new Int32Array(released);
let lastTouch = performance.now();

function touch(): void {
  try {
    const { token: found } = JSON.parse(readFileSync(path, 'utf8')) as { token?: unknown };
    if (found !== token) {
      end('another process has taken it over');
      return;
    }
    const now = new Date();
    utimesSync(path, now, now);
    lastTouch = performance.now();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') restore();
    if (performance.now() - lastTouch > stale) end(`it cannot be reached (${String(error)})`);
  }
}

/** The file was removed, which gives the folder to no other process. */
function restore(): void {
  if (Atomics.load(flag, 0) !== 0) return;
  try {
    writeFileSync(path, lease, { flag: 'wx' });
    lastTouch = performance.now();
  } catch {
    // Another may have been first: the next touch finds out.
  }
}

function end(reason: string): void {
  if (Atomics.load(flag, 0) !== 0) return;
  writeSync(2, `The lock ${path} is lost: ${reason}. This process ends now.\n`);
  process.kill(process.pid, 'SIGKILL');
}

// Waits on the flag instead of a timer: releasing wakes and ends the thread.
while (Atomics.wait(flag, 0, 0, beat) === 'timed-out') touch();

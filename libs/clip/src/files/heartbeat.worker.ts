/**
 * Thread that touches the lock of a folder as long as the process owns it. When the lock is another's, or could
 * not be touched for so long that it may be, the process is killed: it must not write to the folder once more.
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

/** Somebody has removed the file, which gives the folder to nobody. */
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

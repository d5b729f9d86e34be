/**
 * The lock of a folder that has a single writer.
 *
 * The lock is a lease: the file `lock` with a random token of its owner. Node can take no lock of the operating system,
 * and process ids mean nothing between containers, where every service is process 1. So:
 *
 * 1. The owner touches the file every half second, from a thread of its own, so that work on the main thread does not
 *    delay it.
 * 2. A process that finds a lock watches it. If it is touched, its owner is alive and the start is refused. If it is
 *    not touched for six seconds, or its owner was a process of the same pid namespace that is gone, it is taken over.
 *    Only the watcher's own clock counts.
 * 3. Taking over replaces the file and waits for longer than a touch takes. If several take over at once, the last to
 *    write keeps the lock and the others notice. An owner that was suspended meanwhile notices too, and kills itself.
 *
 * See docs/decisions/020-data-lock.md.
 */
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ClipError, isSystemError } from '../errors.js';
import { inThisNamespace, ownLease, parseLease, processLives, type Lease } from './lease.js';
import { makeFolder } from './make-folder.js';

/** Between two touches of the owner, in milliseconds. */
const HEARTBEAT = 500;
/** A lock that was not touched for this long has lost its owner, in milliseconds. */
const STALE = 6000;
/** How long a takeover waits for others that compete with it, in milliseconds; more than two heartbeats. */
const SETTLE = 1500;
/** Between two checks of another process's lock, in milliseconds. */
const POLL_INTERVAL = 100;

/** The settings of the worker. */
export interface HeartbeatSettings {
  path: string;
  lease: string;
  token: string;
  beat: number;
  stale: number;
  /** One Int32: not 0 once the lock is given back. */
  released: SharedArrayBuffer;
}

/** Another running process holds a folder. */
export class FolderInUseError extends ClipError {
  /** E.g. `process 17 on build-3 since 2026-01-31T12:00:00.000Z`. */
  readonly owner: string;

  constructor(folder: string, { pid, host, since }: Lease) {
    const owner = `process ${pid} on ${host || 'an unknown host'}${since ? ` since ${since}` : ''}`;
    super('FOLDER_IN_USE', `${folder} is in use by ${owner}`);
    this.owner = owner;
  }
}

/**
 * Takes the lock of `folder`, making the folder when absent. Returns the function that gives it back.
 * Takes a moment when the folder is free, up to eight seconds when its last owner was killed.
 * @throws FolderInUseError when another process holds it, and the system's error when it cannot be made or written
 */
export async function lockFolder(folder: string): Promise<() => void> {
  await makeFolder(folder);
  const path = join(folder, 'lock');
  const lease = ownLease();
  for (;;) {
    if (createLock(path, lease)) return keepLock(path, lease);
    const other = await readLock(path);
    if (other === undefined) continue;
    if (await isAlive(path, other)) throw new FolderInUseError(folder, other.lease);
    const release = takeOver(path, other, lease);
    if (release === undefined) continue;
    await delay(SETTLE);
    if ((await readLock(path))?.lease.token === lease.token) return release;
    release();
  }
}

/** Makes the lock; false when there is one. */
function createLock(path: string, lease: Lease): boolean {
  try {
    writeFileSync(path, JSON.stringify(lease), { flag: 'wx' });
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}

/** A lock as it was found: its content and when it was last touched. */
interface FoundLock {
  lease: Lease;
  touched: number;
}

/**
 * The lock as it is now, or undefined when there is none. It is opened because network file systems refresh what they
 * cache only then.
 */
async function readLock(path: string): Promise<FoundLock | undefined> {
  try {
    const file = await open(path);
    try {
      const { mtimeMs } = await file.stat();
      return { lease: parseLease(await file.readFile('utf8')), touched: mtimeMs };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** True as soon as the lock changes; false when it has not for a while, or when its owner is known to be gone. */
async function isAlive(path: string, first: FoundLock): Promise<boolean> {
  const { lease } = first;
  if (inThisNamespace(lease)) return processLives(lease);
  for (const end = performance.now() + STALE; performance.now() < end;) {
    await delay(POLL_INTERVAL);
    const now = await readLock(path);
    if (now === undefined) return false;
    if (now.touched !== first.touched || now.lease.token !== lease.token) return true;
  }
  return false;
}

/** Replaces an abandoned lock by our own, unless it has changed since. */
function takeOver(path: string, abandoned: FoundLock, lease: Lease): (() => void) | undefined {
  const own = `${path}.${lease.token}`;
  writeFileSync(own, JSON.stringify(lease));
  try {
    if (parseLease(readFileSync(path, 'utf8')).token === abandoned.lease.token) {
      renameSync(own, path);
      return keepLock(path, lease);
    }
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
  unlinkSync(own);
  return undefined;
}

/** Starts the thread that touches the lock. Returns the function that ends it and gives the lock back. */
function keepLock(path: string, lease: Lease): () => void {
  const released = new SharedArrayBuffer(4);
  const settings: HeartbeatSettings = {
    path,
    lease: JSON.stringify(lease),
    token: lease.token,
    beat: HEARTBEAT,
    stale: STALE,
    released,
  };
  const worker = new Worker(new URL('./heartbeat.worker.js', import.meta.url), { workerData: settings });
  worker.unref();
  return () => {
    const flag = new Int32Array(released);
    if (Atomics.exchange(flag, 0, 1) !== 0) return;
    Atomics.notify(flag, 0);
    try {
      if (parseLease(readFileSync(path, 'utf8')).token === lease.token) unlinkSync(path);
    } catch {
      // Gone already: nothing to give back.
    }
  };
}

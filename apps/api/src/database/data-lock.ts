/**
 * One process a data folder: the embedded database and the index files have a single writer.
 *
 * The lock is a lease, the file `lock` with a token that only its owner knows. Node can take no lock of the operating
 * system, and process ids say nothing between containers, where every service is process 1. So:
 *
 * 1. The owner touches the file every half second, from a thread of its own that no work of the service delays.
 * 2. Who finds a lock watches it. When it is touched, its owner lives: the start is refused. When it is not for six
 *    seconds, or its owner was a process of the same pid namespace that is gone, it is taken over. Only the watcher's
 *    own clock counts.
 * 3. Taking over replaces the file and waits for longer than a touch takes. Of several that take over at once the last
 *    to write stays, and the others find that. An owner that was frozen meanwhile finds it too, and kills itself.
 *
 * See docs/decisions/020-data-lock.md.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { StartError } from '../start-error.js';

/** Between two touches of the owner, in milliseconds. */
const BEAT = 500;
/** A lock that was not touched for so long has no owner any more, in milliseconds. */
const STALE = 6000;
/** How long who takes a lock over waits for others that do the same, in milliseconds; more than two beats. */
const SETTLE = 1500;
/** Between two looks at the lock of another, in milliseconds. */
const LOOK = 100;

/** The content of a lock. What is empty is not known. */
interface Lease {
  token: string;
  host: string;
  pid: number;
  /** Start of the process in clock ticks since boot, as the kernel says it. */
  startTime: string;
  /** The kernel's boot and the pid namespace in which `pid` is counted. */
  namespace: string;
  since: string;
}

/** What the worker gets. */
export interface HeartbeatSettings {
  path: string;
  lease: string;
  token: string;
  beat: number;
  stale: number;
  /** One Int32: not 0 once the lock is given back. */
  released: SharedArrayBuffer;
}

/** Another running process holds the data folder. */
class DataFolderInUseError extends StartError {
  override readonly name = 'DataFolderInUseError';

  constructor(folder: string, { pid, host, since }: Lease) {
    super(
      `The data folder ${folder} is in use by process ${pid} on ${host || 'an unknown host'}${since ? ` since ${since}` : ''}. ` +
        'Stop that process, or set DATA_DIR to another folder.',
    );
  }
}

/**
 * Takes the lock of `folder`, making the folder when absent. Returns the function that gives it back.
 * Takes a moment when the folder is free, up to eight seconds when its last owner was killed.
 * @throws StartError when the folder cannot be made or written, or another process holds it
 */
export async function lockDataFolder(folder: string): Promise<() => void> {
  try {
    await mkdir(folder, { recursive: true });
    return await takeLock(folder);
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new StartError(
      `The data folder ${folder} cannot be written: ${error.message}. Set DATA_DIR to a folder that this user may write.`,
    );
  }
}

async function takeLock(folder: string): Promise<() => void> {
  const path = join(folder, 'lock');
  const lease = ownLease();
  for (;;) {
    if (createLock(path, lease)) return keepLock(path, lease);
    const other = await look(path);
    if (other === undefined) continue;
    if (await isAlive(path, other)) throw new DataFolderInUseError(folder, other.lease);
    const release = takeOver(path, other, lease);
    if (release === undefined) continue;
    await delay(SETTLE);
    if ((await look(path))?.lease.token === lease.token) return release;
    release();
  }
}

function ownLease(): Lease {
  const { pid } = process;
  const since = new Date().toISOString();
  return {
    token: randomUUID(),
    host: hostname(),
    pid,
    startTime: startTime(pid),
    namespace: namespace(),
    since,
  };
}

/** Makes the lock; false when there is one. */
function createLock(path: string, lease: Lease): boolean {
  try {
    writeFileSync(path, JSON.stringify(lease), { flag: 'wx' });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** A lock as it was at one moment: its content and when it was touched last. */
interface Sight {
  lease: Lease;
  touched: number;
}

/** The lock as it is now, or undefined when there is none. It is opened, since network file systems are sure only then. */
async function look(path: string): Promise<Sight | undefined> {
  try {
    const file = await open(path);
    try {
      const { mtimeMs } = await file.stat();
      return { lease: parseLease(await file.readFile('utf8')), touched: mtimeMs };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The content of a lock; one that is damaged, or that an older version wrote, has empty fields. */
function parseLease(text: string): Lease {
  let value: Partial<Record<keyof Lease, unknown>> = {};
  try {
    value = (JSON.parse(text) ?? {}) as typeof value;
  } catch {
    // Half-written: whoever wrote it was killed, or is about to touch it.
  }
  const field = (name: keyof Lease) => (typeof value[name] === 'string' ? value[name] : '');
  const pid = typeof value.pid === 'number' ? value.pid : 0;
  return {
    token: field('token'),
    host: field('host'),
    pid,
    startTime: field('startTime'),
    namespace: field('namespace'),
    since: field('since'),
  };
}

/** True as soon as the lock changes; false when it has not for a while, or when its owner is known to be gone. */
async function isAlive(path: string, first: Sight): Promise<boolean> {
  const { lease } = first;
  if (lease.namespace !== '' && lease.namespace === namespace()) return processLives(lease);
  for (const end = performance.now() + STALE; performance.now() < end;) {
    await delay(LOOK);
    const now = await look(path);
    if (now === undefined) return false;
    if (now.touched !== first.touched || now.lease.token !== lease.token) return true;
  }
  return false;
}

/** Of a process in this pid namespace: whether it is there and not a later one with the same id. */
function processLives({ pid, startTime: started }: Lease): boolean {
  if (pid === process.pid) return started === startTime(pid) && started !== '';
  try {
    process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
  return started === startTime(pid);
}

/** Puts the own lock in the place of an abandoned one, unless that has changed since. */
function takeOver(path: string, abandoned: Sight, lease: Lease): (() => void) | undefined {
  const own = `${path}.${lease.token}`;
  writeFileSync(own, JSON.stringify(lease));
  try {
    if (parseLease(readFileSync(path, 'utf8')).token === abandoned.lease.token) {
      renameSync(own, path);
      return keepLock(path, lease);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
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
    beat: BEAT,
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

/** Start of a process in clock ticks since boot (field 22 of proc(5) stat); empty where there is no /proc. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Names the kernel's boot and the pid namespace of this process; empty where the system does not tell. */
function namespace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/**
 * The cache folder of the hub, in the layout that Python's huggingface_hub uses, so that both share it:
 *
 *     models--OWNER--NAME/refs/REVISION            the commit that a branch or tag was at
 *     models--OWNER--NAME/blobs/ETAG               contents, named by their hash
 *     models--OWNER--NAME/snapshots/COMMIT/PATH    links to contents
 */
import { copyFile, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isSystemError } from '../errors.js';
import { isAbandoned, writeFileAtomic } from '../files/index.js';
import { isCommit, isHashName, type Repository } from './repository.js';
import { makeFolder } from '../files/make-folder.js';

/** Milliseconds between two checks of another process's lock, and between two heartbeats of our own. */
const LOCK_POLL = 100;
const LOCK_HEARTBEAT = 2_000;
/** A lock without a heartbeat for this long belongs to a process that has died. */
const LOCK_TIMEOUT = 15_000;

/** The part of the cache that belongs to one repository. */
export class RepositoryCache {
  private readonly root: string;

  constructor(cacheFolder: string, { id }: Repository) {
    this.root = join(cacheFolder, `models--${id.replaceAll('/', '--')}`);
  }

  snapshotFolder(commit: string): string {
    return join(this.root, 'snapshots', commit);
  }

  blobPath(etag: string): string {
    return join(this.root, 'blobs', etag);
  }

  /** The commit that a revision was at when last seen. */
  async readCommit(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.root, 'refs', revision), 'utf8').catch(() => '');
    return isHashName(text.trim()) ? text.trim() : undefined;
  }

  async writeCommit(revision: string, commit: string): Promise<void> {
    if ((await this.readCommit(revision)) !== commit)
      await writeFileAtomic(join(this.root, 'refs', revision), commit);
  }

  /** Paths of the files of a snapshot that are there with their content. */
  async listSnapshot(commit: string): Promise<string[]> {
    const folder = this.snapshotFolder(commit);
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    const whole: string[] = [];
    for (const name of names) {
      const status = await stat(join(folder, name)).catch(() => undefined);
      if (status?.isFile()) whole.push(name.replaceAll('\\', '/'));
    }
    return whole.sort();
  }

  /** Whether a snapshot has a file, with its content. */
  async has(commit: string, path: string, size: number): Promise<boolean> {
    const status = await stat(join(this.snapshotFolder(commit), path)).catch(() => undefined);
    return status?.isFile() === true && status.size === size;
  }

  /** Makes a file of a snapshot a link to its content; a copy where links are not allowed. */
  async link(commit: string, path: string, etag: string): Promise<void> {
    const pointer = join(this.snapshotFolder(commit), path);
    await makeFolder(dirname(pointer));
    await rm(pointer, { force: true });
    try {
      await symlink(relative(dirname(pointer), this.blobPath(etag)), pointer);
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) return; // another process got there first
      if (!isSystemError(error, 'EPERM') && !isSystemError(error, 'ENOTSUP')) throw error;
      await copyFile(this.blobPath(etag), pointer);
    }
  }

  /** Runs `work` while holding the lock on a content, so that one process at a time downloads it. */
  async withLock<T>(etag: string, work: () => Promise<T>): Promise<T> {
    const path = `${this.blobPath(etag)}.lock`;
    await makeFolder(dirname(path));
    while (!(await tryLock(path))) await new Promise((resolve) => setTimeout(resolve, LOCK_POLL));
    const heartbeat = setInterval(
      () => void utimes(path, new Date(), new Date()).catch(() => undefined),
      LOCK_HEARTBEAT,
    );
    try {
      return await work();
    } finally {
      clearInterval(heartbeat);
      await rm(path, { force: true });
    }
  }
}

/** Whether work failed because the cache cannot be written: it is another user's, or on a disk that is read-only. */
export function isUnwritable(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'].some((code) => isSystemError(error, code));
}

/** Creates the lock file; one that was abandoned is removed for the next attempt. */
async function tryLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, `${process.pid} ${hostname()}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  }
  const [text, status] = await Promise.all([readFile(path, 'utf8'), stat(path)]).catch(
    () => ['', undefined] as const,
  );
  if (status === undefined) return false;
  const [pid, host] = text.split(' ');
  const silent = Date.now() - status.mtimeMs > LOCK_TIMEOUT;
  if (silent || (host === hostname() && isAbandoned(Number(pid), status.mtimeMs)))
    await rm(path, { force: true });
  return false;
}

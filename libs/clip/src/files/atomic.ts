/**
 * Atomic writes: a reader sees the old content or the new, never part of either.
 *
 * Each write goes to a hidden sibling (same folder, so same file system), is flushed to the disk with fsync, and is
 * then renamed over its target; the parent folder is flushed after the rename. A folder cannot be renamed over a folder
 * that has content, so the old one is renamed first; a crash between the two renames leaves it as a `.old` sibling,
 * which {@link recoverFolder} puts back.
 *
 * One writer per target at a time. Siblings left behind by a killed process are removed by the next write.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isSystemError } from '../errors.js';
import { isAbandoned } from './process.js';
import { makeFolder } from './make-folder.js';

/** `.name.PID-RANDOM.tmp` is being written; `.name.PID-RANDOM.old` is being replaced. */
function siblingPath(target: string, suffix: 'tmp' | 'old'): string {
  return join(
    dirname(target),
    `.${basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.${suffix}`,
  );
}

/**
 * Writes a file atomically, with the folders above it.
 * `data` is the content, or a function that writes it to the temporary file's path.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | ((temporaryPath: string) => Promise<void>),
): Promise<void> {
  const target = resolve(path);
  await makeFolder(dirname(target));
  await removeAbandonedSiblings(target);
  const temporary = siblingPath(target, 'tmp');
  try {
    if (typeof data === 'function') {
      await data(temporary);
      await flush(temporary);
    } else {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(data);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await flush(dirname(target));
}

/**
 * Writes a folder atomically: `fill` gets the path of an empty temporary folder and puts all files there.
 * When `fill` throws, the target stays as it was. An existing target is replaced as a whole.
 */
export async function writeFolderAtomic(
  path: string,
  fill: (temporaryFolder: string) => Promise<void>,
): Promise<void> {
  const target = resolve(path);
  await makeFolder(dirname(target));
  await recoverFolder(target);
  await removeAbandonedSiblings(target);
  const temporary = siblingPath(target, 'tmp');
  const retired = siblingPath(target, 'old');
  try {
    await mkdir(temporary);
    await fill(temporary);
    await flushTree(temporary);
    const replaces = await renameIfPresent(target, retired);
    try {
      await rename(temporary, target);
    } catch (error) {
      if (replaces) await rename(retired, target);
      throw error;
    }
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await flush(dirname(target));
  await rm(retired, { recursive: true, force: true });
}

/**
 * Puts back the previous content of a folder whose replacement was cut off between its two renames.
 * Does nothing when the folder is there. Returns whether it did.
 */
export async function recoverFolder(path: string): Promise<boolean> {
  const target = resolve(path);
  if (await exists(target)) return false;
  const retired = (await siblings(target)).filter((sibling) => sibling.suffix === 'old');
  retired.sort((a, b) => b.modified - a.modified);
  const newest = retired[0];
  if (newest === undefined) return false;
  await rename(newest.path, target);
  await flush(dirname(target));
  return true;
}

interface Sibling {
  path: string;
  pid: number;
  suffix: 'tmp' | 'old';
  /** Milliseconds since the epoch. */
  modified: number;
}

async function siblings(target: string): Promise<Sibling[]> {
  const prefix = `.${basename(target)}.`;
  const found: Sibling[] = [];
  const names = await readdir(dirname(target)).catch(() => []);
  for (const name of names) {
    const match = name.startsWith(prefix)
      ? /^(\d+)-[0-9a-f]{12}\.(tmp|old)$/.exec(name.slice(prefix.length))
      : null;
    if (match === null) continue;
    const path = join(dirname(target), name);
    const status = await stat(path).catch(() => undefined);
    if (status === undefined) continue;
    found.push({ path, pid: Number(match[1]), suffix: match[2] as 'tmp' | 'old', modified: status.mtimeMs });
  }
  return found;
}

async function removeAbandonedSiblings(target: string): Promise<void> {
  for (const { path, pid, modified } of await siblings(target)) {
    if (isAbandoned(pid, modified)) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}

async function renameIfPresent(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}

async function flushTree(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await flushTree(path);
    else if (entry.isFile()) await flush(path);
  }
  await flush(folder);
}

/** fsync of a file or a folder. Windows cannot open a folder; there the rename alone has to suffice. */
async function flush(path: string): Promise<void> {
  let handle;
  try {
    handle = await open(path, 'r');
    await handle.sync();
  } catch (error) {
    if (!isSystemError(error, 'EISDIR') && !isSystemError(error, 'EPERM')) throw error;
  } finally {
    await handle?.close();
  }
}

/**
 * One process a data folder: the embedded database and the index files have a single writer.
 * The lock is a file with the process id and, where the system tells it, the process's start time,
 * so that a file left behind by a killed process never blocks the next start.
 */
import { readFileSync, unlinkSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../start-error.js';

interface Owner {
  pid: number;
  startTime: string;
}

/** Another running process holds the data folder. */
class DataFolderInUseError extends StartError {
  override readonly name = 'DataFolderInUseError';

  constructor(folder: string, owner: Owner) {
    super(
      `The data folder ${folder} is in use by process ${owner.pid}. Stop that process, or set DATA_DIR to another folder.`,
    );
  }
}

/**
 * Takes the lock of `folder`, making the folder when absent. Returns the function that gives it back.
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
  const self: Owner = { pid: process.pid, startTime: startTime(process.pid) };
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(path, JSON.stringify(self), { flag: 'wx' });
      return () => {
        release(path, self);
      };
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST') || attempt === 3)
        throw error;
      const owner = await readOwner(path);
      if (owner !== undefined && isAlive(owner, self)) throw new DataFolderInUseError(folder, owner);
      unlinkSync(path);
    }
  }
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    const owner = value as Partial<Owner>;
    return typeof owner.pid === 'number' && typeof owner.startTime === 'string'
      ? (owner as Owner)
      : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner, self: Owner): boolean {
  if (owner.pid === self.pid) return owner.startTime === self.startTime && self.startTime !== '';
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
  return owner.startTime === startTime(owner.pid);
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

function release(path: string, self: Owner): void {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Owner;
    if (owner.pid === self.pid) unlinkSync(path);
  } catch {
    // Gone already: nothing to give back.
  }
}

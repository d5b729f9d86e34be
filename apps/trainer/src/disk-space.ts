/** Space on disks: checked before much is written, and reported in plain words when it runs out all the same. */
import { statfs } from 'node:fs/promises';
import { InputError, TrainingError } from './errors.js';

const UNITS = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
] as const;

/** 1,234,567 → "1.2 MB" */
export function byteCount(bytes: number): string {
  const [size, unit] = UNITS.find(([least]) => bytes >= least) ?? [1, 'bytes'];
  return size === 1 ? `${bytes} ${unit}` : `${(bytes / size).toFixed(1)} ${unit}`;
}

export interface NeededRoom {
  /** On the disk in question; exists. */
  folder: string;
  /** How the user named the folder, and what is to be written: for the error. */
  option: string;
  what: string;
  bytes: number;
  /** Of those, bytes that an earlier run has written. */
  there: number;
}

/** @throws InputError disk_full */
export async function requireRoom({ folder, option, what, bytes, there }: NeededRoom): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (bytes - there <= free) return;
  const written = there > 0 ? `, of which ${byteCount(there)} are there` : '';
  throw new InputError(
    `disk_full: ${option} ${folder}: ${what} take ${byteCount(bytes)}${written}, and the disk has ${byteCount(free)} free; ` +
      'make room there, or name a folder on another disk',
  );
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * Runs something that writes. @param what is written, and where @param kept what is not lost
 * @throws TrainingError disk_full for a disk or a quota that is used up
 */
export async function whileRoomLasts<T>(what: string, kept: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !FULL.has(code)) throw error;
    throw new TrainingError(`disk_full: ${what} cannot be written (${code}); ${kept}`);
  }
}

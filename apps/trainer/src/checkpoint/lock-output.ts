/** The lock of a run's folder, which has a single writer. */
import { rmdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FolderInUseError, lockFolder } from '@clip-ts/clip/files';
import { InputError } from '../errors.js';

/**
 * Makes the folder of a run when it is absent, and keeps other processes out of it until this one ends. A folder in
 * which nothing was left is removed then.
 * @throws InputError when the folder cannot be made or written, or another process trains in it
 */
export async function lockOutput(output: string): Promise<void> {
  try {
    const existed = await stat(output).then(
      () => true,
      () => false,
    );
    const release = await lockFolder(output);
    process.once('exit', () => {
      release();
      if (!existed) removeIfEmpty(output);
    });
  } catch (error) {
    if (error instanceof FolderInUseError) {
      throw new InputError(
        `--output ${output}: ${error.owner} is training in this folder; wait for it, stop it, or name another --output`,
      );
    }
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new InputError(
      `--output ${output} cannot be written: ${error.message}; name a folder that this user may write`,
    );
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds something.
  }
}

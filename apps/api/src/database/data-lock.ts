/** The lock of the data folder: the embedded database and the index files have a single writer. */
import { FolderInUseError, lockFolder } from '@clip-ts/clip/files';
import { StartError } from '../start-error.js';

/**
 * Takes the lock of `folder`, making the folder when absent. Returns the function that gives it back.
 * @throws StartError when the folder cannot be made or written, or another process holds it
 */
export async function lockDataFolder(folder: string): Promise<() => void> {
  try {
    return await lockFolder(folder);
  } catch (error) {
    if (error instanceof FolderInUseError) {
      throw new StartError(
        `The data folder ${folder} is in use by ${error.owner}. Stop that process, or set DATA_DIR to another folder.`,
      );
    }
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new StartError(
      `The data folder ${folder} cannot be written: ${error.message}. Set DATA_DIR to a folder that this user may write.`,
    );
  }
}

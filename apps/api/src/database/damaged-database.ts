/** An embedded database that cannot be opened: what to say, and what can be seen before the engine writes into it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../start-error.js';

/** How to restore the pictures in `images` when there is no backup of their rows. */
export function importAgain(images: string): string {
  return (
    `move the files away (mv ${images} ${images}.lost), start with IMPORT_ROOT=${images}.lost, ` +
    'and POST /imports {"path": "."}: that brings the pictures back, without their captions and tags.'
  );
}

/** The files of the embedded database are damaged; the message says what to do. Exit code 2. */
export class DamagedDatabaseError extends StartError {
  override readonly name = 'DamagedDatabaseError';

  constructor(dataFolder: string, found: string, cause?: unknown) {
    const folder = join(dataFolder, 'database');
    const images = join(dataFolder, 'images');
    super(
      `The embedded database in ${folder} cannot be opened: ${found}. Its files are damaged, incomplete, or not ` +
        `readable and writable for this user. The image files in ${images} do not depend on it and are untouched.\n` +
        `  If there is a backup, put it in the place of ${folder}.\n` +
        `  If there is none, keep the damaged folder (mv ${folder} ${folder}.damaged); then ${importAgain(images)}`,
      { cause },
    );
  }
}

/**
 * Files without which PostgreSQL's engine does not open a folder, but would write into it before it finds out: a new
 * database, or the end of a recovery.
 */
const NEEDED = ['PG_VERSION', 'global/pg_control', 'base/1/PG_VERSION'];

/** Throws a {@link DamagedDatabaseError} when `DATA_DIR/database`, which is not empty, lacks what every database has. */
export async function refuseIncompleteDatabase(dataFolder: string): Promise<void> {
  for (const name of NEEDED) {
    const content = await readFile(join(dataFolder, 'database', name)).catch((error: unknown) => {
      throw new DamagedDatabaseError(dataFolder, `${name} cannot be read`, error);
    });
    if (content.every((byte) => byte === 0)) {
      throw new DamagedDatabaseError(dataFolder, `${name} is empty`);
    }
  }
}

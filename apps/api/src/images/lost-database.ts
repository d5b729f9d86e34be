/**
 * An empty database beside stored images: restored without its rows, pointed at another place, or emptied by hand.
 * Served as it is, it would look like an empty collection, so the start is refused with what to do.
 */
import { importAgain } from '../database/damaged-database.js';
import type { Database } from '../database/database.js';
import { StartError } from '../start-error.js';
import { FileStore } from './file-store.js';

/** This many files without any row cannot be what killed uploads left behind. */
const MANY_FILES = 100;
/** Files are counted up to here. */
const COUNTED = 100_000;

/** The rows of the stored images are gone; the message says what to do. Exit code 2. */
class DatabaseLostError extends StartError {
  override readonly name = 'DatabaseLostError';

  constructor(settings: { DATA_DIR: string }, database: Database, files: number) {
    const where = database.shared ? 'that DATABASE_URL names' : `in ${settings.DATA_DIR}/database`;
    const images = `${settings.DATA_DIR}/images`;
    super(
      `The database ${where} holds no images, but ${images} holds ${files < COUNTED ? files : `${COUNTED} or more`} ` +
        'image files: their rows are lost, or this is another database. Nothing was changed.\n' +
        `  If there is a backup, restore the database, or correct ${database.shared ? 'DATABASE_URL' : 'DATA_DIR'}.\n` +
        `  If there is none, ${importAgain(images)}`,
    );
  }
}

/**
 * Throws a {@link StartError} when the database has no image and the data folder has files that one knew: a
 * database that never had an image beside a folder that was in use, or any empty one beside many files.
 */
export async function refuseLostDatabase(database: Database, settings: { DATA_DIR: string }): Promise<void> {
  const { client } = database;
  if ((await client.image.findFirst({ select: { id: true } })) !== null) return;
  const { marked, files } = await new FileStore(settings.DATA_DIR).traces(COUNTED);
  const { revision } = await client.collection.findUniqueOrThrow({ where: { id: 1 } });
  const isFresh = revision === 0;
  if ((marked && isFresh && files > 0) || files > MANY_FILES) {
    throw new DatabaseLostError(settings, database, files);
  }
}

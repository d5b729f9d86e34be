/**
 * Opens the database: PGlite (PostgreSQL inside this process, a folder on disk) by default,
 * a PostgreSQL server when a URL is given. Both speak through the same Prisma client.
 */
import { DatabaseError } from './database.js';
import type { Database } from './database.js';

/** Opens the database that the settings name and brings its tables up to date. */
export async function openDatabase(settings: { DATA_DIR: string; DATABASE_URL?: string }): Promise<Database> {
  const database =
    settings.DATABASE_URL === undefined
      ? await embedded(settings.DATA_DIR)
      : await onServer(settings.DATABASE_URL);
  try {
    await database.migrate();
  } catch (error) {
    await database.close().catch(() => undefined);
    const where = database.shared ? 'the server that DATABASE_URL names' : `${settings.DATA_DIR}/database`;
    throw new DatabaseError(`The database cannot be used (${where})`, error);
  }
  return database;
}

// A start need not load the other one: the client of a server brings TLS and the rest of Node's networking.
const embedded = async (dataFolder: string): Promise<Database> =>
  (await import('./embedded-database.js')).openEmbedded(dataFolder);
const onServer = async (url: string): Promise<Database> =>
  (await import('./server-database.js')).openServer(url);

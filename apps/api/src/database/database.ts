/**
 * Opens the database: PGlite (PostgreSQL inside this process, a folder on disk) by default,
 * a PostgreSQL server when a URL is given. Both speak through the same Prisma client.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { PrismaClient } from '../generated/prisma/client.js';
import { applyMigrations } from './migrate.js';

/** An open, migrated database; who opened it closes it. */
export interface Database {
  readonly client: PrismaClient;
  /** True when other processes may write to the same database. */
  readonly shared: boolean;
  close(): Promise<void>;
}

/** The database cannot be opened or migrated; the message says which and why. */
export class DatabaseError extends Error {
  constructor(message: string, cause: unknown) {
    super(`${message}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'DatabaseError';
  }
}

/** Opens the database that the settings name and brings its tables up to date. */
export async function openDatabase(settings: { DATA_DIR: string; DATABASE_URL?: string }): Promise<Database> {
  const database =
    settings.DATABASE_URL === undefined
      ? await openEmbedded(join(settings.DATA_DIR, 'database'))
      : openServer(settings.DATABASE_URL);
  try {
    await applyMigrations(database.client);
  } catch (error) {
    await database.close().catch(() => undefined);
    const where = database.shared ? 'the server that DATABASE_URL names' : `${settings.DATA_DIR}/database`;
    throw new DatabaseError(`The database cannot be used (${where})`, error);
  }
  return database;
}

async function openEmbedded(folder: string): Promise<Database> {
  try {
    await mkdir(folder, { recursive: true });
    const engine = await PGlite.create({ dataDir: folder });
    const client = new PrismaClient({ adapter: new PrismaPGlite(engine) });
    return {
      client,
      shared: false,
      close: async () => {
        await client.$disconnect();
        await engine.close();
      },
    };
  } catch (error) {
    throw new DatabaseError(`The embedded database cannot be opened (${folder})`, error);
  }
}

function openServer(url: string): Database {
  const client = new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, connectionTimeoutMillis: 10_000 }),
  });
  return { client, shared: true, close: () => client.$disconnect() };
}

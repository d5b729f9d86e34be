/**
 * Opens the database: PGlite (PostgreSQL inside this process, a folder on disk) by default,
 * a PostgreSQL server when a URL is given. Both speak through the same Prisma client.
 */
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { PrismaClient } from '../generated/prisma/client.js';
import { StartError } from '../start-error.js';
import { DamagedDatabaseError, refuseIncompleteDatabase } from './damaged-database.js';
import { DatabaseMonitor } from './database-monitor.js';
import { applyMigrations } from './migrate.js';
import { takeTurns } from './turns.js';
import { QUERY_PATIENCE, watchQueries } from './query-patience.js';

/** Beginning of the name of a folder in which a database is being made. */
const UNFINISHED = 'unfinished-';

/**
 * The engine touches all of its page cache when it starts: PostgreSQL's default of 128 MB would be resident in every
 * service, whose collection is read once and then searched in an index of its own.
 */
const ENGINE_SETTINGS = [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'];

/** An open, migrated database; who opened it closes it. */
export interface Database {
  readonly client: PrismaClient;
  /** True when other processes may write to the same database. */
  readonly shared: boolean;
  /** Knows whether the database answers. */
  readonly monitor: DatabaseMonitor;
  /** Brings the tables up to date. */
  migrate(): Promise<unknown>;
  close(): Promise<void>;
}

/** The database cannot be opened or migrated; the message says which and why. */
class DatabaseError extends StartError {
  override readonly name = 'DatabaseError';

  constructor(message: string, cause: unknown) {
    super(`${message}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Opens the database that the settings name and brings its tables up to date. */
export async function openDatabase(settings: { DATA_DIR: string; DATABASE_URL?: string }): Promise<Database> {
  const database =
    settings.DATABASE_URL === undefined
      ? await openEmbedded(settings.DATA_DIR)
      : openServer(settings.DATABASE_URL);
  try {
    await database.migrate();
  } catch (error) {
    await database.close().catch(() => undefined);
    const where = database.shared ? 'the server that DATABASE_URL names' : `${settings.DATA_DIR}/database`;
    throw new DatabaseError(`The database cannot be used (${where})`, error);
  }
  return database;
}

async function openEmbedded(dataFolder: string): Promise<Database> {
  const folder = join(dataFolder, 'database');
  await initialise(folder).catch((error: unknown) => {
    throw new DatabaseError(`The embedded database cannot be made (${folder})`, error);
  });
  await refuseIncompleteDatabase(dataFolder);
  const pidFile = join(folder, 'postmaster.pid');
  const oldPid = await readFile(pidFile).catch(() => undefined);
  const engine = await PGlite.create({ dataDir: folder, startParams: ENGINE_SETTINGS }).catch(
    async (error: unknown) => {
      // The engine writes this file before it looks at anything else.
      await (oldPid === undefined ? rm(pidFile, { force: true }) : writeFile(pidFile, oldPid)).catch(
        () => undefined,
      );
      const found = error instanceof Error ? error.message : 'its engine gives no reason';
      throw new DamagedDatabaseError(dataFolder, found.replace(/\.$/, ''), error);
    },
  );
  takeTurns(engine);
  const client = new PrismaClient({ adapter: new PrismaPGlite(engine), errorFormat: 'minimal' });
  // It runs in this process: it may be busy, but it cannot be gone without an error.
  const monitor = new DatabaseMonitor(() => client.$queryRaw`SELECT 1`, { patience: false });
  return {
    client,
    shared: false,
    monitor,
    migrate: () => applyMigrations(client),
    close: async () => {
      monitor.stop();
      await client.$disconnect();
      await engine.close();
    },
  };
}

/** Makes an empty database beside its place and moves it there: a start that is cut off leaves none, not half of one. */
async function initialise(folder: string): Promise<void> {
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  const unfinished = (await readdir(parent)).filter((name) => name.startsWith(UNFINISHED));
  for (const name of unfinished) await rm(join(parent, name), { recursive: true });
  if (!(await isAbsentOrEmpty(folder))) return;
  const temporary = await mkdtemp(join(parent, UNFINISHED));
  const engine = await PGlite.create({ dataDir: temporary });
  await engine.close();
  await rm(folder, { recursive: true, force: true });
  await rename(temporary, folder);
}

/** Whether there is no such folder, or nothing in it. A file in its place is something. */
async function isAbsentOrEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

/** Longest that one query may take, in milliseconds: a connection that was cut off must not be kept for ever. */
const QUERY_TIMEOUT = 20_000;

function openServer(url: string): Database {
  const connect = (pool: ConstructorParameters<typeof PrismaPg>[0]) =>
    // The long form of errors quotes the values of a failed query, and errors go to the log.
    new PrismaClient({
      adapter: new PrismaPg(pool),
      errorFormat: 'minimal',
      transactionOptions: { maxWait: QUERY_PATIENCE },
    });
  const client = connect({
    connectionString: url,
    connectionTimeoutMillis: 5000,
    query_timeout: QUERY_TIMEOUT,
    keepAlive: true,
  });
  const watcher = connect({
    connectionString: url,
    max: 1,
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
    idleTimeoutMillis: 0,
  });
  const monitor = new DatabaseMonitor(() => watcher.$queryRaw`SELECT 1`, { patience: true });
  return {
    client: watchQueries(client),
    shared: true,
    monitor,
    migrate: async () => {
      // A statement of a migration may take as long as the collection is large.
      const patient = connect({ connectionString: url, max: 1, connectionTimeoutMillis: 10_000 });
      await applyMigrations(patient).finally(() => patient.$disconnect());
    },
    close: async () => {
      monitor.stop();
      await Promise.all([client.$disconnect(), watcher.$disconnect()]);
    },
  };
}

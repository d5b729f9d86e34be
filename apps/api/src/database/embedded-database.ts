/** PGlite: PostgreSQL inside this process, its files in a folder. */
import { mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder } from '@clip-ts/clip/files';
import { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { PrismaClient } from '../generated/prisma/client.js';
import { DamagedDatabaseError, refuseIncompleteDatabase } from './damaged-database.js';
import { DatabaseMonitor } from './database-monitor.js';
import { DatabaseError } from './database.js';
import type { Database } from './database.js';
import { applyMigrations } from './migrate.js';
import { yieldBetweenQueries } from './yield-between-queries.js';

/** Beginning of the name of a folder in which a database is being made. */
const UNFINISHED = 'unfinished-';

/**
 * The engine touches all of its page cache when it starts: PostgreSQL's default of 128 MB would be resident in every
 * service, whose collection is read once and then searched in an index of its own.
 */
const ENGINE_SETTINGS = [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'];

/** Opens the database in `dataFolder/database`, and makes it first where there is none. */
export async function openEmbedded(dataFolder: string): Promise<Database> {
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
  yieldBetweenQueries(engine);
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

/** Makes an empty database beside its place and moves it there: a start that is killed leaves no database rather than half of one. */
async function initialise(folder: string): Promise<void> {
  const parent = dirname(folder);
  await makeFolder(parent);
  const unfinished = (await readdir(parent)).filter((name) => name.startsWith(UNFINISHED));
  for (const name of unfinished) await rm(join(parent, name), { recursive: true });
  if (!(await isAbsentOrEmpty(folder))) return;
  const temporary = await mkdtemp(join(parent, UNFINISHED));
  const engine = await PGlite.create({ dataDir: temporary });
  await engine.close();
  await rm(folder, { recursive: true, force: true });
  await rename(temporary, folder);
}

/** Whether there is no such folder, or nothing in it. A file of that name counts as something. */
async function isAbsentOrEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

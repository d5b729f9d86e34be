/** Opens the data folder, database and model, serves, and closes all of it in the opposite order. */
import 'reflect-metadata';
import type { Logger } from 'pino';
import { KeyRing } from './access/api-keys.js';
import { isLoopbackName, normaliseName } from './access/host.js';
import type { Config } from './config/config.js';
import { lockDataFolder } from './database/data-lock.js';
import type { Database } from './database/database.js';
import { openDatabase } from './database/open-database.js';
import { EncoderPool } from './encoder/encoder-pool.js';
import { refuseLostDatabase } from './images/lost-database.js';
import { StartError } from './start-error.js';

/** The running service. */
export interface Service {
  url: string;
  /** Name of the checkpoint and length of its embeddings, for people. */
  model: string;
  /** Reads the key file again. Throws a StartError, and keeps the keys as they were, when it cannot be used. */
  reloadKeys(): void;
  /** Finishes running requests and background work, then closes everything. */
  close(): Promise<void>;
}

/** Starts the service. Throws a StartError when it cannot start as configured. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const keys = new KeyRing(config);
  const unlock = await lockDataFolder(config.DATA_DIR);
  // Also where the process ends without closing the service.
  process.once('exit', unlock);
  const releaseFolder = () => {
    process.off('exit', unlock);
    unlock();
  };
  const service = await startInFolder(config, keys, logger).catch((error: unknown) => {
    releaseFolder();
    throw error;
  });
  warnIfOpen(config, keys, logger);
  return {
    ...service,
    close: async () => {
      await service.close();
      releaseFolder();
    },
  };
}

/** The service over a data folder that this process holds. */
async function startInFolder(config: Config, keys: KeyRing, logger: Logger): Promise<Service> {
  const [database, encoder] = await openBoth(
    openKnownDatabase(config),
    EncoderPool.start(config, config.CLIP_CHECKPOINT),
  );
  // Loaded only now: a start that fails need not wait for the rest of the program.
  const { createApp } = await import('./app.js');
  // A copy holds the models of one precision, whatever the setting was when it was made.
  const loadEncoder = (folder: string, name: string) =>
    EncoderPool.start({ ...config, PRECISION: 'auto' }, folder, name);
  const closeBoth = async () => {
    await encoder.close();
    await database.close();
  };
  const resources = { config, database, encoder, loadEncoder, keys, logger };
  const app = await createApp(resources).catch(async (error: unknown) => {
    await closeBoth();
    throw error;
  });
  const close = async () => {
    await app.close();
    await closeBoth();
  };
  await app.listen(config.PORT, config.HOST).catch(async (error: unknown) => {
    await close();
    throw new StartError(listenMessage(config, error), { cause: error });
  });
  const { name, embeddingSize } = encoder.model;
  const reloadKeys = () => {
    keys.reload();
  };
  return { url: await app.getUrl(), reloadKeys, model: `${name} (${embeddingSize} values)`, close };
}

/**
 * Both, or the first error after the other was closed: the process must not end while a worker loads its model, which
 * aborts it, or while the database is open.
 */
async function openBoth<A extends Closable, B extends Closable>(
  one: Promise<A>,
  other: Promise<B>,
): Promise<[A, B]> {
  const settled = await Promise.allSettled([one, other]);
  if (settled.every(({ status }) => status === 'fulfilled')) return Promise.all([one, other]);
  for (const result of settled) if (result.status === 'fulfilled') await result.value.close();
  return Promise.all([one, other]);
}

interface Closable {
  close(): Promise<unknown>;
}

/** The database, unless it is empty beside images that another one knew. */
async function openKnownDatabase(config: Config): Promise<Database> {
  const database = await openDatabase(config);
  try {
    await refuseLostDatabase(database, config);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Warns of a service that other machines can reach and that needs no key. */
function warnIfOpen({ HOST }: Config, keys: KeyRing, logger: Logger): void {
  if (!keys.isEmpty || isLoopbackName(normaliseName(HOST) ?? HOST)) return;
  logger.warn(`Anybody who reaches ${HOST} can change the collection. Set API_KEY or API_KEYS_FILE.`);
}

function listenMessage({ HOST, PORT }: Config, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return `Port ${PORT} on ${HOST} is in use. Stop the program that uses it, or set PORT to another one.`;
  }
  return `Cannot listen on ${HOST}:${PORT}: ${error instanceof Error ? error.message : String(error)}`;
}

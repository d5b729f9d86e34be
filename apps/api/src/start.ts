/** Opens the data folder, database and model, serves, and closes all of it in the opposite order. */
import 'reflect-metadata';
import type { Logger } from 'pino';
import { createApp } from './app.js';
import type { Config } from './config/config.js';
import { lockDataFolder } from './database/data-lock.js';
import { openDatabase } from './database/database.js';
import { EncoderPool } from './encoder/encoder-pool.js';
import { StartError } from './start-error.js';

/** The running service. */
export interface Service {
  url: string;
  /** Name of the checkpoint and length of its embeddings, for people. */
  model: string;
  /** Finishes running requests and background work, then closes everything. */
  close(): Promise<void>;
}

/** Starts the service. Throws a StartError when it cannot start as configured. */
export async function startService(config: Config, logger: Logger): Promise<Service> {
  const unlock = await lockDataFolder(config.DATA_DIR);
  process.once('exit', unlock);
  const [database, encoder] = await Promise.all([openDatabase(config), EncoderPool.start(config)]);
  const app = await createApp({ config, database, encoder, logger });
  const close = async () => {
    await app.close();
    await encoder.close();
    await database.close();
  };
  await app.listen(config.PORT, config.HOST).catch(async (error: unknown) => {
    await close();
    throw new StartError(listenMessage(config, error), { cause: error });
  });
  const { name, embeddingSize } = encoder.model;
  return { url: await app.getUrl(), model: `${name} (${embeddingSize} values)`, close };
}

function listenMessage({ HOST, PORT }: Config, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return `Port ${PORT} on ${HOST} is in use. Stop the program that uses it, or set PORT to another one.`;
  }
  return `Cannot listen on ${HOST}:${PORT}: ${error instanceof Error ? error.message : String(error)}`;
}

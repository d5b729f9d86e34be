/**
 * Starts the service: settings, data folder, database, model, HTTP; and ends it on SIGINT or SIGTERM.
 * Exit codes: 0 ended as asked, 2 cannot start as configured, 1 anything else.
 */
import 'reflect-metadata';
import { ConfigError, helpText, readConfig } from './config/config.js';
import type { Config } from './config/config.js';
import { DataFolderInUseError, lockDataFolder } from './database/data-lock.js';
import { DatabaseError, openDatabase } from './database/database.js';
import { CheckpointError, EncoderPool } from './encoder/encoder-pool.js';
import { createApp } from './app.js';

/** The address or port cannot be listened on. */
class ListenError extends Error {}

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(helpText());
    return;
  }
  const config = readConfig();
  const unlock = await lockDataFolder(config.DATA_DIR);
  process.once('exit', unlock);
  const database = await openDatabase(config);
  const encoder = await EncoderPool.start(config).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
  const app = await createApp({ config, database, encoder });
  const end = async () => {
    await app.close();
    await encoder.close();
    await database.close();
  };
  await app.listen(config.PORT, config.HOST).catch(async (error: unknown) => {
    await end();
    throw new ListenError(listenMessage(config, error));
  });
  endOnSignal(end, config.SHUTDOWN_TIMEOUT);
  const url = await app.getUrl();
  const { name, embeddingSize } = encoder.model;
  console.log(`${name} (${embeddingSize} values) is served at ${url} — API documentation at ${url}/docs`);
}

function endOnSignal(end: () => Promise<void>, timeoutSeconds: number): void {
  let ending = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (ending) process.exit(1);
    ending = true;
    console.log(`${signal}: finishing running requests`);
    setTimeout(() => {
      console.error(`not finished after ${timeoutSeconds} s; ending now`);
      process.exit(1);
    }, timeoutSeconds * 1000).unref();
    end().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

function listenMessage({ HOST, PORT }: Config, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return `Port ${PORT} on ${HOST} is in use. Stop the program that uses it, or set PORT to another one.`;
  }
  return `Cannot listen on ${HOST}:${PORT}: ${error instanceof Error ? error.message : String(error)}`;
}

main().catch((error: unknown) => {
  const expected =
    error instanceof ConfigError ||
    error instanceof DataFolderInUseError ||
    error instanceof DatabaseError ||
    error instanceof CheckpointError ||
    error instanceof ListenError;
  console.error(expected ? error.message : error);
  process.exit(expected ? 2 : 1);
});

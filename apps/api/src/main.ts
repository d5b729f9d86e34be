/**
 * The program: reads the settings, starts the service, ends it on SIGINT or SIGTERM.
 * Exit codes: 0 ended as asked, 2 cannot start as configured, 1 anything else.
 */
import { setFlagsFromString } from 'node:v8';
import type { Logger } from 'pino';
import { helpText, readConfig } from './config/config.js';
import { createLogger } from './logging/logger.js';
import type { Service } from './start.js';
import { StartError } from './start-error.js';

/**
 * How much of a WebAssembly function V8 runs before it optimises it, in bytes of code. With Node.js 20's 1.8 MB it optimises
 * a good part of the embedded database for the few queries of a start, a third of the start's processor time; newer versions
 * have this value themselves.
 */
const WASM_TIERING_BUDGET = 13_000_000;

async function main(): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(helpText());
    return;
  }
  const [unknown] = process.argv.slice(2);
  if (unknown !== undefined) {
    throw new StartError(
      `Unknown argument ${unknown}. Settings are environment variables; --help lists them.`,
    );
  }
  const config = readConfig();
  const logger = createLogger(config);
  setFlagsFromString(`--wasm-tiering-budget=${WASM_TIERING_BUDGET}`);
  // Loaded only now: help and complaints about settings need not wait for the rest of the program.
  const { startService } = await import('./start.js');
  const service = await startService(config, logger);
  endOnSignal(service, config.SHUTDOWN_TIMEOUT, logger);
  if (config.API_KEYS_FILE !== undefined) reloadKeysOnHangup(service, logger);
  logger.info(`${service.model} is served at ${service.url} — API documentation at ${service.url}/docs`);
}

function reloadKeysOnHangup(service: Service, logger: Logger): void {
  process.on('SIGHUP', () => {
    try {
      service.reloadKeys();
      logger.info('SIGHUP: the key file was read again');
    } catch (error) {
      logger.error(
        `SIGHUP: ${error instanceof Error ? error.message : String(error)} The keys stay as they were.`,
      );
    }
  });
}

function endOnSignal(service: Service, timeoutSeconds: number, logger: Logger): void {
  let ending = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (ending) process.exit(1);
    ending = true;
    logger.info(`${signal}: finishing running requests`);
    setTimeout(() => {
      logger.error(`not finished after ${timeoutSeconds} s; ending now`);
      process.exit(1);
    }, timeoutSeconds * 1000).unref();
    service.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'the end was not clean');
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

// The reader of the log may end (`| head`, a collector), and the disk that it is written to may be full: lines are lost
// then, and the service keeps running.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

main().catch((error: unknown) => {
  const expected = error instanceof StartError;
  console.error(expected ? error.message : error);
  process.exit(expected ? 2 : 1);
});

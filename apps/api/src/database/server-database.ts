/** A PostgreSQL server, which other services may use as well. */
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '../generated/prisma/client.js';
import { DatabaseMonitor } from './database-monitor.js';
import type { Database } from './database.js';
import { applyMigrations } from './migrate.js';
import { REQUEST_QUERY_TIMEOUT, watchQueries } from './query-timeout.js';

/** Longest that one query may take, in milliseconds: a connection that was cut off must not be kept for ever. */
const QUERY_TIMEOUT = 20_000;

/** Opens the database that the URL names; connections are made when they are needed. */
export function openServer(url: string): Database {
  const connect = (pool: ConstructorParameters<typeof PrismaPg>[0]) =>
    // The long form of errors quotes the values of a failed query, and errors go to the log.
    new PrismaClient({
      adapter: new PrismaPg(pool),
      errorFormat: 'minimal',
      transactionOptions: { maxWait: REQUEST_QUERY_TIMEOUT },
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

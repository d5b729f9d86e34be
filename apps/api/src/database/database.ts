/** What the service needs of its database, wherever it runs; open-database.ts opens it. */
import type { PrismaClient } from '../generated/prisma/client.js';
import { StartError } from '../start-error.js';
import type { DatabaseMonitor } from './database-monitor.js';

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
export class DatabaseError extends StartError {
  override readonly name = 'DatabaseError';

  constructor(message: string, cause: unknown) {
    super(`${message}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

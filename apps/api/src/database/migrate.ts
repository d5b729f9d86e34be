/**
 * Applies the SQL files of prisma/migrations in the order of their names and records each in
 * `_prisma_migrations`, in the form that Prisma's own `migrate deploy` writes and reads.
 *
 * 1. All pending migrations run in one transaction, under a lock: of several processes that start
 *    at once, one applies them and the others wait and find nothing to do.
 * 2. A migration that was applied must still have the same checksum.
 * 3. A database with a migration that this program does not know belongs to a newer one: refused.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PrismaClient } from '../generated/prisma/client.js';
import { MIGRATIONS_FOLDER } from '../program-folders.js';

/** Any number that nothing else on the database uses for an advisory lock. */
const LOCK = 727_274_001;

const CREATE_RECORD = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;

interface Migration {
  name: string;
  checksum: string;
  statements: string[];
}

/** Applies what is pending and returns the names of the migrations that it applied. */
export async function applyMigrations(client: PrismaClient, folder = MIGRATIONS_FOLDER): Promise<string[]> {
  const migrations = await readMigrations(folder);
  return client.$transaction(
    async (transaction) => {
      await transaction.$executeRawUnsafe(`SELECT pg_advisory_xact_lock(${LOCK})`);
      await transaction.$executeRawUnsafe(CREATE_RECORD);
      const applied = await transaction.$queryRawUnsafe<{ name: string; checksum: string }[]>(
        `SELECT "migration_name" AS "name", "checksum" FROM "_prisma_migrations"
         WHERE "finished_at" IS NOT NULL AND "rolled_back_at" IS NULL`,
      );
      const pending = pendingMigrations(migrations, applied);
      for (const { name, checksum, statements } of pending) {
        for (const statement of statements) await transaction.$executeRawUnsafe(statement);
        await transaction.$executeRawUnsafe(
          `INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at", "applied_steps_count")
           VALUES ($1, $2, $3, now(), 1)`,
          randomUUID(),
          checksum,
          name,
        );
      }
      return pending.map(({ name }) => name);
    },
    { maxWait: 60_000, timeout: 3_600_000 },
  );
}

/** The migrations still to apply. Throws when the record and the files disagree. */
export function pendingMigrations(
  migrations: readonly Migration[],
  applied: readonly { name: string; checksum: string }[],
): Migration[] {
  const checksums = new Map(applied.map(({ name, checksum }) => [name, checksum]));
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = [...checksums.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new Error(
      `it has the migration ${unknown}, which this version does not know; use the version that made it`,
    );
  }
  return migrations.filter(({ name, checksum }) => {
    const recorded = checksums.get(name);
    if (recorded !== undefined && recorded !== checksum) {
      throw new Error(
        `the migration ${name} was changed after it was applied: expected checksum ${recorded}, found ${checksum}`,
      );
    }
    return recorded === undefined;
  });
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      return {
        name,
        checksum: createHash('sha256').update(sql).digest('hex'),
        statements: splitStatements(sql),
      };
    }),
  );
}

/** Splits a migration at each `;` that ends a line. Comment lines are dropped; bodies of functions are not supported. */
export function splitStatements(sql: string): string[] {
  return sql
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('--'))
    .join('\n')
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

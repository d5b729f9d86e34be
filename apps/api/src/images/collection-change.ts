/**
 * One change of the collection. Each takes the next revision in its own transaction, under a lock on the collection's
 * row: revisions become visible in their order, so "what changed since revision r" misses nothing.
 */
import type { PrismaClient } from '../generated/prisma/client.js';

export type Transaction = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0];

/** Runs `run` in a transaction, with the revision that its rows get. */
export function changeCollection<T>(
  client: PrismaClient,
  run: (transaction: Transaction, revision: number) => Promise<T>,
): Promise<T> {
  return client.$transaction(
    async (transaction) => {
      const { revision } = await transaction.collection.update({
        where: { id: 1 },
        data: { revision: { increment: 1 } },
      });
      return run(transaction, revision);
    },
    { maxWait: 30_000, timeout: 60_000 },
  );
}

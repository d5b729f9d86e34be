/**
 * The embedded database answers on this thread, and hands its lock from one query to the next without a turn of the event
 * loop between them: behind hundreds of queued queries everything else would wait too, above all health checks.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import { Mutex } from 'async-mutex';

/** What queries are sent to: the database, or a transaction. */
type Queried = Pick<PGlite, 'query'>;

/** Yields to the event loop after each query of the database, also in transactions, before the next one begins. */
export function yieldBetweenQueries(engine: PGlite): void {
  const oneByOne = new Mutex();
  // Without this lock the database would begin the next query before yielding.
  turnAfterQueries(engine, (work) => oneByOne.runExclusive(work));
  const transaction = engine.transaction.bind(engine);
  engine.transaction = (run) =>
    transaction((own) => {
      turnAfterQueries(own, (work) => work());
      return run(own);
    });
}

function turnAfterQueries(queried: Queried, inOrder: <T>(work: () => Promise<T>) => Promise<T>): void {
  const query = queried.query.bind(queried);
  queried.query = (...args: Parameters<typeof query>) =>
    inOrder(async () => {
      try {
        return await query(...args);
      } finally {
        await nextTurn();
      }
    }) as never;
}

/**
 * The embedded database answers on this thread, and hands its lock from one query to the next without a turn of the event
 * loop between them: behind hundreds of queries that wait, everything else would wait too, health checks first.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import { Mutex } from 'async-mutex';

/** What queries are sent to: the database, or a transaction. */
type Queried = Pick<PGlite, 'query'>;

/** Has the event loop turn after each query of the database, those in transactions included, before the next one begins. */
export function takeTurns(engine: PGlite): void {
  const oneByOne = new Mutex();
  // Without a lock of its own the database would begin the next query before the turn.
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

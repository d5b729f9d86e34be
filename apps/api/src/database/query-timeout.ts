/**
 * Ends a request's wait for a query that does not answer: rows locked by another client, no free connection. The server
 * answers trivial queries meanwhile, so that DatabaseMonitor sees nothing. Background work waits on; it has no client.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { PrismaClient } from '../generated/prisma/client.js';

/** How long a request waits for one query, or for a transaction to begin, in milliseconds. */
export const REQUEST_QUERY_TIMEOUT = 1500;
/** How often a request that waits for the queries of others checks them. */
const INTERVAL = 250;

/** What ends the wait of the request that is under way. */
const onLate = new AsyncLocalStorage<() => void>();
/** Late queries of the process, of any request. */
let late = 0;

/** Runs `work`; `listener` is called when it waits too long for a query, as often as that happens. */
export function onSlowQuery<T>(listener: () => void, work: () => T): T {
  return onLate.run(listener, work);
}

/** Runs work that waits for others, who may be waiting for a query: a request's wait ends when theirs is late. */
export async function endWaitForSlowQueries<T>(work: () => Promise<T>): Promise<T> {
  const listener = onLate.getStore();
  if (listener === undefined) return work();
  const start = performance.now();
  const timer = setInterval(() => {
    if (late > 0 && performance.now() - start >= REQUEST_QUERY_TIMEOUT) listener();
  }, INTERVAL);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** The client, with its queries watched. */
export function watchQueries(client: PrismaClient): PrismaClient {
  const watched = client.$extends({
    query: {
      $allOperations: ({ args, query }) => watch(query(args) as Promise<unknown>),
    },
  });
  return watched as unknown as PrismaClient;
}

async function watch(query: Promise<unknown>): Promise<unknown> {
  const listener = onLate.getStore();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    late++;
    listener?.();
  }, REQUEST_QUERY_TIMEOUT);
  try {
    return await query;
  } finally {
    clearTimeout(timer);
    if (isLate) late--;
  }
}

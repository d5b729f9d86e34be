/** Problems of what the service stands on. They pass; `Retry-After` says when to ask again. */
import type { ProblemCode } from './catalogue.js';
import { Problem } from './problem.js';

/** The database does not answer; the cause goes to the log. */
export function databaseUnavailable(cause?: unknown): Problem {
  return new Problem('database_unavailable', 'The database does not answer. Try again in a moment.', {
    cause,
    retryAfter: 1,
  });
}

export function storageFull(cause: unknown): Problem {
  const detail =
    'The disk of the server is full. Nothing was stored; free some space and send the request again.';
  return new Problem('storage_full', detail, { cause, retryAfter: 30 });
}

const TEMPORARY: readonly ProblemCode[] = [
  'database_unavailable',
  'storage_full',
  'storage_unavailable',
  'overloaded',
  'not_ready',
];

/** Whether the same work may succeed later without anybody changing it. */
export function isTemporary({ code }: Problem): boolean {
  return TEMPORARY.includes(code);
}

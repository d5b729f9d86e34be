/**
 * Requests that come all at once start some at a time, with a turn of the event loop between: hundreds that begin in one
 * turn would keep a health check, and every answer under way, waiting for all of them.
 */
import type { RequestListener } from 'node:http';
import { ALWAYS_ANSWERED } from './request-limit.js';

/** Requests that begin in one turn. Each takes a millisecond or two until it first waits for something. */
export const STARTS_A_TURN = 8;

/** Passes requests on in their order; health checks do not wait in line. */
export function startInTurns(listener: RequestListener): RequestListener {
  const line: (() => void)[] = [];
  let started = 0;
  let isTurnAwaited = false;
  const begin = (start: () => void) => {
    started++;
    start();
    if (!isTurnAwaited) setImmediate(nextTurn);
    isTurnAwaited = true;
  };
  const nextTurn = () => {
    started = 0;
    isTurnAwaited = false;
    for (const start of line.splice(0, STARTS_A_TURN)) begin(start);
  };
  return (request, response) => {
    const start = () => {
      // A client that left while waiting is not counted: no event would report the end of its request.
      if (!request.socket.destroyed) listener(request, response);
    };
    if (ALWAYS_ANSWERED.includes((request.url ?? '').split('?', 1)[0]!)) start();
    else if (line.length === 0 && started < STARTS_A_TURN) begin(start);
    else line.push(start);
  };
}

/** How many requests are worked on at one time, in all and for one connection. Beyond it: 503, at once. */
import type { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import { Problem } from '../problems/problem.js';
import { sendProblem } from '../problems/problem.filter.js';

/** Requests that one connection may have under way: HTTP/1.1 lets a client send the next before the answer. */
const MAX_PIPELINED = 16;
/** Answered whatever the load: they cost nothing, and say that the service lives. */
const ALWAYS = ['/healthz', '/readyz'];

/** Refuses requests beyond `most` under way at the same time. */
export function limitRequests(most: number): RequestHandler {
  let underWay = 0;
  const byConnection = new WeakMap<Socket, number>();
  return (request, response, next) => {
    const { socket } = request;
    const own = byConnection.get(socket) ?? 0;
    const free = ALWAYS.includes(request.path) ? own < MAX_PIPELINED : underWay < most && own < MAX_PIPELINED;
    if (!free) {
      const detail =
        own < MAX_PIPELINED
          ? `${underWay} requests are under way. Try again in a moment.`
          : `${own} requests of this connection are under way. Wait for their answers.`;
      sendProblem(request, response, new Problem('overloaded', detail, { retryAfter: 1 }));
      return;
    }
    underWay++;
    byConnection.set(socket, own + 1);
    response.once('close', () => {
      underWay--;
      byConnection.set(socket, (byConnection.get(socket) ?? 1) - 1);
    });
    next();
  };
}

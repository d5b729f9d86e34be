/** How many requests are worked on at one time: in all, and for one client. Beyond it: 503, at once. */
import type { RequestHandler } from 'express';
import { clientOf } from '../../access/caller.js';
import { Problem } from '../../problems/problem.js';
import { sendProblem } from '../../problems/problem.filter.js';

/** Answered whatever the load: they cost nothing, and show that the service is alive. */
export const ALWAYS_ANSWERED = ['/healthz', '/readyz'];

/** Refuses requests beyond `most` under way at the same time, and beyond half of them for one client. */
export function limitRequests(most: number): RequestHandler {
  let underWay = 0;
  const byClient = new Map<string, number>();
  const mostOfOne = Math.ceil(most / 2);
  return (request, response, next) => {
    if (ALWAYS_ANSWERED.includes(request.path)) {
      next();
      return;
    }
    const client = clientOf(request);
    const own = byClient.get(client) ?? 0;
    if (own >= mostOfOne || underWay >= most) {
      const detail =
        own >= mostOfOne
          ? `${own} requests of this client are under way. Wait for their answers.`
          : `${underWay} requests are under way. Try again in a moment.`;
      sendProblem(request, response, new Problem('overloaded', detail, { retryAfter: 1 }));
      return;
    }
    underWay++;
    byClient.set(client, own + 1);
    response.once('close', () => {
      underWay--;
      const left = (byClient.get(client) ?? 1) - 1;
      if (left > 0) byClient.set(client, left);
      else byClient.delete(client);
    });
    next();
  };
}

/**
 * Answers to clients that go on sending after RATE_LIMIT has refused them: a second long each gets the refusal again
 * at the least cost, without a line of the log, so that a flood of refused requests costs next to nothing.
 */
import type { Problem } from '../problems/problem.js';

/** How long a refusal is repeated, in milliseconds. `Retry-After` is at least as long. */
const REPEATED = 1000;
/** Clients that are remembered. */
const MAX_CLIENTS = 10_000;

interface Refusal {
  until: number;
  problem: Problem;
}

export class RefusedClients {
  private readonly refusals = new Map<string, Refusal>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Notes that `client` was refused just now. */
  add(client: string, problem: Problem): void {
    this.refusals.delete(client);
    this.refusals.set(client, { until: this.now() + REPEATED, problem });
    if (this.refusals.size <= MAX_CLIENTS) return;
    const oldest = this.refusals.keys().next();
    if (!oldest.done) this.refusals.delete(oldest.value);
  }

  /** The refusal to repeat to `client`, if there is one. */
  get(client: string): Problem | undefined {
    const refusal = this.refusals.get(client);
    if (refusal === undefined) return undefined;
    if (this.now() < refusal.until) return refusal.problem;
    this.refusals.delete(client);
    return undefined;
  }
}

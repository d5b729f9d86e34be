/**
 * What encoding costs, in units of about one short text, and how much of it one request and one client may ask for.
 */
import { RateLimiter } from '../access/rate-limit.js';
import type { RequestScope } from './scope.js';
import { Problem } from '../problems/problem.js';

/** A text of `length` characters: 1, and 1 more for each 100 characters. */
export function textCost(length: number): number {
  return 1 + Math.floor(length / 100);
}

/** An image: 4 for the model, and 1 for each megapixel begun, for decoding. */
export function imageCost(pixels: number): number {
  return 4 + Math.ceil(pixels / 1e6);
}

export class ComputeMeter {
  private readonly buckets: RateLimiter | undefined;
  private readonly asked = new WeakMap<RequestScope, number>();

  /** `perRequest` and `perMinute` in units; `perMinute` 0 sets no limit to a client. */
  constructor(
    private readonly limits: { perRequest: number; perMinute: number },
    now?: () => number,
  ) {
    if (limits.perMinute > 0) this.buckets = new RateLimiter(limits.perMinute, now);
  }

  /** Checks what a request asks for in all, whether it is cached or not. Throws `request_too_costly`. */
  ask(scope: RequestScope, units: number): void {
    const asked = (this.asked.get(scope) ?? 0) + units;
    this.asked.set(scope, asked);
    const { perRequest } = this.limits;
    if (asked <= perRequest) return;
    throw new Problem(
      'request_too_costly',
      `The request asks for ${asked} units of computing; at most ${perRequest} are allowed (MAX_COMPUTE). ` +
        'Send fewer or shorter texts, or fewer or smaller images.',
    );
  }

  /** Takes units for what must be computed. Throws `rate_limited` with the time until there are enough. */
  spend({ client }: RequestScope, units: number): void {
    if (this.buckets === undefined || units === 0) return;
    const { allowed, remaining, retryAfter } = this.buckets.take(client, units);
    if (allowed) return;
    throw new Problem(
      'rate_limited',
      `At most ${this.buckets.perMinute} units of computing a minute are allowed (COMPUTE_LIMIT); this needs ${units}, and ` +
        `${remaining} are left. Try again in ${retryAfter} s.`,
      { retryAfter },
    );
  }
}

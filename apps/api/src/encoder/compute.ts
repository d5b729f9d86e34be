/**
 * What encoding costs, in units of about one short text, and how much of it one request and one client may ask for.
 * A token bucket for each client: it holds a minute's worth and fills evenly.
 */
import { LRUCache } from 'lru-cache';
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

/** Clients that are remembered; beyond it the longest unseen is forgotten. */
const MAX_CLIENTS = 10_000;

export class ComputeMeter {
  private readonly buckets = new LRUCache<string, { units: number; at: number }>({ max: MAX_CLIENTS });
  private readonly asked = new WeakMap<RequestScope, number>();

  /** `perRequest` and `perMinute` in units; `perMinute` 0 sets no limit to a client. */
  constructor(
    private readonly limits: { perRequest: number; perMinute: number },
    private readonly now: () => number = Date.now,
  ) {}

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
    const { perMinute } = this.limits;
    if (perMinute === 0 || units === 0) return;
    const time = this.now();
    const bucket = this.buckets.get(client) ?? { units: perMinute, at: time };
    const available = Math.min(perMinute, bucket.units + ((time - bucket.at) * perMinute) / 60_000);
    const enough = available >= units;
    this.buckets.set(client, { units: enough ? available - units : available, at: time });
    if (enough) return;
    const retryAfter = Math.ceil(((units - available) * 60) / perMinute);
    throw new Problem(
      'rate_limited',
      `At most ${perMinute} units of computing a minute are allowed (COMPUTE_LIMIT); this needs ${units}, and ` +
        `${Math.floor(available)} are left. Try again in ${retryAfter} s.`,
      { retryAfter },
    );
  }
}

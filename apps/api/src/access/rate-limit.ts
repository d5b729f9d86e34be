/**
 * Token buckets, for requests and for computing.
 *
 * 1. The bucket of each client holds `perMinute` units, is full at first, and fills evenly.
 * 2. A client that asks for more than there is gets nothing, loses nothing, and learns when there will be enough.
 * 3. What costs more than a bucket holds is allowed when the bucket is full, and empties it.
 * 4. Beyond {@link MAX_CLIENTS} clients, those unseen for longest are forgotten: the memory is bounded.
 */

/** Clients that a limiter remembers. */
const MAX_CLIENTS = 10_000;

/** What a client has left after it took something, or why it may not. */
export interface Allowance {
  allowed: boolean;
  /** Whole units left. */
  remaining: number;
  /** Seconds until the bucket is full again. */
  reset: number;
  /** Seconds until what was asked for will be allowed; 0 when it was. */
  retryAfter: number;
}

export class RateLimiter {
  private readonly buckets = new Map<string, { tokens: number; at: number }>();

  /** `now` gives the time in milliseconds. */
  constructor(
    readonly perMinute: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Clients that are remembered. */
  get size(): number {
    return this.buckets.size;
  }

  /** Takes `cost` units from the bucket of `client`, or nothing. */
  take(client: string, cost = 1): Allowance {
    const time = this.now();
    const bucket = this.buckets.get(client) ?? { tokens: this.perMinute, at: time };
    const filled = Math.min(this.perMinute, bucket.tokens + ((time - bucket.at) * this.perMinute) / 60_000);
    const price = Math.min(cost, this.perMinute);
    const allowed = filled >= price;
    const tokens = allowed ? filled - price : filled;
    this.remember(client, { tokens, at: time });
    const seconds = (units: number) => Math.ceil((units * 60) / this.perMinute);
    return {
      allowed,
      remaining: Math.floor(tokens),
      reset: seconds(this.perMinute - tokens),
      retryAfter: allowed ? 0 : Math.max(1, seconds(price - tokens)),
    };
  }

  private remember(client: string, bucket: { tokens: number; at: number }): void {
    this.buckets.delete(client);
    this.buckets.set(client, bucket);
    if (this.buckets.size <= MAX_CLIENTS) return;
    const oldest = this.buckets.keys().next();
    if (!oldest.done) this.buckets.delete(oldest.value);
  }
}

/**
 * How many bytes of request bodies the service holds at one time, over all connections.
 *
 * 1. Bytes are counted as they arrive and given back when the request has been answered.
 * 2. The first {@link FREE_BYTES} of a body are free, so that small requests go on while large ones wait;
 *    their number is bounded by the limit on requests in flight.
 * 3. One client holds at most half. Who gets no room within the patience is refused with `overloaded`.
 * 4. When room is short, bodies that have stopped arriving or arrive too slowly lose theirs first.
 */
import { Problem } from '../../problems/problem.js';

/** Bytes of each body that are not counted. */
const FREE_BYTES = 64 * 1024;
/** How long a body waits for room, in milliseconds. */
const PATIENCE = 5000;
/** How often waiting bodies look for one that is too slow, in milliseconds. */
const LOOK_INTERVAL = 200;

/** What the budget asks of a body that is being read when room is short. */
export interface Evictable {
  /** True when the body arrives too slowly to keep its room against others. */
  isSlow(): boolean;
  /** Ends the reading; the lease is then released. */
  evict(): void;
}

interface Waiter {
  lease: ByteLease;
  bytes: number;
  resolve: () => void;
  reject: (error: Problem) => void;
  timer: NodeJS.Timeout;
}

export class ByteBudget {
  private used = 0;
  private readonly byClient = new Map<string, number>();
  private readonly readers = new Map<ByteLease, Evictable>();
  private waiting: Waiter[] = [];
  private looking: NodeJS.Timeout | undefined;

  /** `total` in bytes; one client holds at most half of it. */
  constructor(
    private readonly total: number,
    private readonly patience = PATIENCE,
  ) {}

  /** Bytes that are held, without the free ones. */
  get held(): number {
    return this.used;
  }

  /** Opens the account of one request. */
  lease(client: string): ByteLease {
    return new ByteLease(this, client);
  }

  /** @internal Used by leases. */
  tryTake(client: string, bytes: number): boolean {
    const own = this.byClient.get(client) ?? 0;
    if (this.used + bytes > this.total || own + bytes > this.total / 2) return false;
    this.used += bytes;
    this.byClient.set(client, own + bytes);
    return true;
  }

  /** @internal Resolves when the bytes are there; throws `overloaded` when patience ends. */
  take(lease: ByteLease, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter((waiter) => waiter.timer !== timer);
        const detail = 'The server already holds as many bytes of request bodies as it may. Try again soon.';
        reject(new Problem('overloaded', detail, { retryAfter: 2 }));
      }, this.patience);
      this.waiting.push({ lease, bytes, resolve, reject, timer });
      this.looking ??= setInterval(() => {
        this.evictSlow();
      }, LOOK_INTERVAL).unref();
      this.evictSlow();
    });
  }

  /** @internal */
  give(lease: ByteLease, bytes: number): void {
    this.readers.delete(lease);
    this.used -= bytes;
    const left = (this.byClient.get(lease.client) ?? 0) - bytes;
    if (left > 0) this.byClient.set(lease.client, left);
    else this.byClient.delete(lease.client);
    this.serve();
  }

  /** @internal */
  setReader(lease: ByteLease, reader: Evictable | undefined): void {
    if (reader === undefined) this.readers.delete(lease);
    else this.readers.set(lease, reader);
  }

  private serve(): void {
    this.waiting = this.waiting.filter(({ lease, bytes, resolve, timer }) => {
      if (!lease.released && !this.tryTake(lease.client, bytes)) return true;
      clearTimeout(timer);
      resolve();
      return false;
    });
    if (this.waiting.length > 0) return;
    clearInterval(this.looking);
    this.looking = undefined;
  }

  private evictSlow(): void {
    const waits = new Set(this.waiting.map(({ lease }) => lease));
    for (const [lease, reader] of [...this.readers]) {
      if (this.waiting.length === 0) return;
      if (lease.bytes > 0 && !waits.has(lease) && reader.isSlow()) reader.evict();
    }
  }
}

/** The bytes that one request holds. */
export class ByteLease {
  /** Counted bytes. */
  bytes = 0;
  released = false;
  private free = FREE_BYTES;

  constructor(
    private readonly budget: ByteBudget,
    readonly client: string,
  ) {}

  /** While a body is read: how the budget asks for its room back. */
  set reader(reader: Evictable | undefined) {
    this.budget.setReader(this, reader);
  }

  /** Counts `bytes` more. A promise when there is no room yet; it rejects with `overloaded`. */
  take(bytes: number): Promise<void> | undefined {
    const counted = Math.max(0, bytes - this.free);
    this.free = Math.max(0, this.free - bytes);
    if (counted === 0 || this.released) return undefined;
    if (this.budget.tryTake(this.client, counted)) {
      this.bytes += counted;
      return undefined;
    }
    return this.budget.take(this, counted).then(() => {
      if (!this.released) this.bytes += counted;
    });
  }

  /** Gives everything back. Calling it again does nothing. */
  release(): void {
    if (this.released) return;
    this.released = true;
    this.budget.give(this, this.bytes);
  }
}

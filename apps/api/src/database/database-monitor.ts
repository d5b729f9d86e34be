/**
 * Knows whether the database answers, so that requests need not find out by waiting. A server that hangs (stopped,
 * cut off, out of connections) gives no error: only asking it again and again shows that.
 */
import { databaseUnavailable } from '../problems/outages.js';
import type { Problem } from '../problems/problem.js';

/** Pause between two queries, in milliseconds. */
const INTERVAL = 400;
/** A server that has not answered for this long counts as unreachable, in milliseconds. */
const PATIENCE = 1000;

export class DatabaseMonitor {
  private away = false;
  private readonly listeners = new Set<() => void>();
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private asking = false;

  /**
   * `ask` sends a trivial query to the database over a connection of its own. With `patience`, an answer
   * that takes longer counts as none; without, only an error does.
   */
  constructor(
    private readonly ask: () => Promise<unknown>,
    private readonly options: { patience: boolean },
  ) {
    this.schedule();
  }

  /** The problem to answer with while the database is unavailable, or undefined. */
  get problem(): Problem | undefined {
    return this.away ? databaseUnavailable() : undefined;
  }

  /** Calls `listener` when the database goes away; returns the function that ends that. */
  onOutage(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.check(), INTERVAL);
    this.timer.unref();
  }

  private async check(): Promise<void> {
    // While a query hangs no other is sent: its outcome will do.
    if (this.asking) return;
    this.asking = true;
    const late = this.options.patience ? setTimeout(() => this.markAway(), PATIENCE) : undefined;
    try {
      await this.ask();
      this.away = false;
    } catch {
      this.markAway();
    } finally {
      clearTimeout(late);
      this.asking = false;
      this.schedule();
    }
  }

  private markAway(): void {
    if (this.away || this.stopped) return;
    this.away = true;
    for (const listener of [...this.listeners]) listener();
  }
}

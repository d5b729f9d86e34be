/**
 * Puts requests that wait at the same time into one run of the model.
 *
 * Nothing waits for company: when the model is free, what has queued so far goes at once; while it runs,
 * the next batch collects. Three lanes, served in this order: texts, images of requests, and images of
 * background work, which never delays a request by more than the run under way.
 * The queue of the first two lanes is bounded; beyond it `submit` throws `overloaded`.
 */
import { Problem } from '../problems/problem.js';
import type { EncodeOutcome, EncodeTask } from './encoder.js';

type Item = string | Uint8Array;
interface Waiting {
  item: Item;
  resolve: (outcome: EncodeOutcome) => void;
  reject: (error: unknown) => void;
}
interface Lane {
  kind: EncodeTask['kind'];
  waiting: Waiting[];
}

interface MicroBatcherOptions {
  /** Runs one batch. */
  run: (task: EncodeTask) => Promise<EncodeOutcome[]>;
  /** Batches that may run at the same time. */
  concurrency: number;
  /** Most items in one batch. */
  maxBatch: number;
  /** Most items that may wait in the lanes of requests. */
  maxQueue: number;
}

export class MicroBatcher {
  private readonly text: Lane = { kind: 'text', waiting: [] };
  private readonly image: Lane = { kind: 'image', waiting: [] };
  private readonly background: Lane = { kind: 'image', waiting: [] };
  private running = 0;

  constructor(private readonly options: MicroBatcherOptions) {}

  /** Items of requests that wait for a run. */
  get queued(): number {
    return this.text.waiting.length + this.image.waiting.length;
  }

  texts(items: readonly string[]): Promise<EncodeOutcome[]> {
    return this.submit(this.text, items);
  }

  images(items: readonly Uint8Array[], options: { background?: boolean } = {}): Promise<EncodeOutcome[]> {
    return this.submit(options.background ? this.background : this.image, items);
  }

  private async submit(lane: Lane, items: readonly Item[]): Promise<EncodeOutcome[]> {
    if (lane !== this.background && this.queued >= this.options.maxQueue) {
      throw new Problem(
        'overloaded',
        `${this.queued} images and texts already wait. Try again in a moment.`,
        {
          retryAfter: 1,
        },
      );
    }
    const outcomes = items.map(
      (item) =>
        new Promise<EncodeOutcome>((resolve, reject) => {
          lane.waiting.push({ item, resolve, reject });
        }),
    );
    this.dispatch();
    return Promise.all(outcomes);
  }

  private dispatch(): void {
    while (this.running < this.options.concurrency) {
      const lane = [this.text, this.image, this.background].find(({ waiting }) => waiting.length > 0);
      if (lane === undefined) return;
      this.running++;
      void this.runBatch(lane.kind, lane.waiting.splice(0, this.options.maxBatch)).finally(() => {
        this.running--;
        this.dispatch();
      });
    }
  }

  private async runBatch(kind: EncodeTask['kind'], batch: readonly Waiting[]): Promise<void> {
    try {
      const items = batch.map(({ item }) => item);
      const outcomes = await this.options.run({ kind, items } as EncodeTask);
      if (outcomes.length !== batch.length) {
        throw new Error(`the model gave ${outcomes.length} embeddings for ${batch.length} items`);
      }
      batch.forEach(({ resolve }, index) => {
        resolve(outcomes[index]!);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

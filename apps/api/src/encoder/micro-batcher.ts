/**
 * Puts items that wait at the same time, of any request, into one run of the model.
 *
 * No item is delayed to fill a batch: when the model is free, everything in the queue runs at once; while it runs, the
 * next batch collects. {@link FairQueue} chooses which items run next. The queue is bounded, and a request is admitted
 * only when there is room for all of it, so that a large one leaves room for small ones. Background work (imports) is
 * not bounded, since it submits one batch at a time, and gets a quarter of a request's share.
 */
import type { RequestScope } from './scope.js';
import { Problem } from '../problems/problem.js';
import { imageCost, textCost } from './compute.js';
import type { EncodeOutcome, EncodeTask, ImageInput } from './encoder.js';
import { FairQueue } from './fair-queue.js';
import type { Job, Queued } from './fair-queue.js';
import type { DecodeBudget } from './decode-budget.js';

/** The client of imports and the like. */
const BACKGROUND = 'background';
const BACKGROUND_WEIGHT = 4;
/** Texts run with others of their kind, because all of a batch are padded to the longest. In characters. */
const TEXT_LENGTHS = [40, 120];

interface Waiting {
  /** Place among the items of its job. */
  index: number;
  item: string | ImageInput;
  settle: (index: number, outcome: EncodeOutcome) => void;
  fail: (error: unknown) => void;
}

interface MicroBatcherOptions {
  /** Runs one batch. */
  run: (task: EncodeTask) => Promise<EncodeOutcome[]>;
  /** Batches that may run at the same time. */
  concurrency: number;
  /** Maximum number of items in one batch. */
  maxBatch: number;
  /** Maximum number of items of requests that may wait. */
  maxQueue: number;
  /** Memory for images that are decoded, which others use too. */
  decodeBudget: DecodeBudget;
}

/** The work was dropped because no request waits for it any more. */
export class Cancelled extends Problem {
  constructor() {
    super('overloaded', 'The client closed the connection before the answer.');
  }
}

export class MicroBatcher {
  private readonly queue = new FairQueue<Waiting>();
  private background = 0;
  private running = 0;
  /** Images wait for others to end what they decode. */
  private waitsForMemory = false;

  constructor(private readonly options: MicroBatcherOptions) {}

  /** Items of requests that wait for a run. */
  get queued(): number {
    return this.queue.length - this.background;
  }

  /** Outcomes of N texts, in their order. Throws `overloaded`, or {@link Cancelled} when the scope's signal fires. */
  async texts(items: readonly string[], scope: RequestScope): Promise<EncodeOutcome[]> {
    return this.submit(items, scope);
  }

  /** Outcomes of N images, in their order. Without a scope: background work. Throws as {@link texts}. */
  async images(items: readonly ImageInput[], scope?: RequestScope): Promise<EncodeOutcome[]> {
    return this.submit(items, scope);
  }

  private submit(
    items: readonly (string | ImageInput)[],
    scope: RequestScope | undefined,
  ): Promise<EncodeOutcome[]> {
    if (items.length === 0) return Promise.resolve([]);
    if (scope !== undefined) this.admit(items.length);
    return new Promise((resolve, reject) => {
      const outcomes = new Array<EncodeOutcome>(items.length);
      let left = items.length;
      const done = () => scope?.signal.removeEventListener('abort', cancel);
      const settle = (index: number, outcome: EncodeOutcome) => {
        outcomes[index] = outcome;
        if (--left > 0) return;
        done();
        resolve(outcomes);
      };
      const fail = (error: unknown) => {
        done();
        this.drop(job);
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const cancel = () => fail(new Cancelled());
      const queued = items.map((item, index) => toQueued({ index, item, settle, fail }, scope === undefined));
      const job = this.queue.add(
        scope?.client ?? BACKGROUND,
        queued,
        scope === undefined ? BACKGROUND_WEIGHT : 1,
      );
      if (scope === undefined) this.background += items.length;
      if (scope?.signal.aborted === true) cancel();
      else scope?.signal.addEventListener('abort', cancel, { once: true });
      this.dispatch();
    });
  }

  /** A request of more than one batch may fill three quarters of the queue; the rest is for small ones. */
  private admit(count: number): void {
    const { maxQueue, maxBatch } = this.options;
    const room = count <= maxBatch ? maxQueue : maxQueue - Math.floor(maxQueue / 4);
    if (this.queued + count <= room) return;
    const detail = `${this.queued} images and texts are already waiting. Try again in a moment.`;
    throw new Problem('overloaded', detail, { retryAfter: 1 });
  }

  private drop(job: Job<Waiting>): void {
    if (job.client.name === BACKGROUND) this.background -= job.waiting;
    this.queue.remove(job);
  }

  private dispatch(): void {
    const { concurrency, maxBatch, decodeBudget } = this.options;
    while (this.running < concurrency) {
      const batch = this.queue.takeBatch(maxBatch, (item, taken) => this.fits(item, taken));
      if (batch.length === 0) {
        if (this.queue.length > 0) this.waitForMemory();
        return;
      }
      const giveBack = decodeBudget.take(memoryOf(batch));
      this.running++;
      this.background -= batch.filter(({ lane }) => lane === BACKGROUND).length;
      void this.runBatch(batch).finally(() => {
        this.running--;
        giveBack();
        this.dispatch();
      });
    }
  }

  /** Images join a batch as long as all that are being decoded stay within the budget. */
  private fits({ value: { item } }: Queued<Waiting>, taken: readonly Queued<Waiting>[]): boolean {
    if (typeof item === 'string') return true;
    const { decodeBudget } = this.options;
    const together = memoryOf(taken) + item.memory;
    return (taken.length === 0 || together <= decodeBudget.total) && decodeBudget.fits(together);
  }

  private waitForMemory(): void {
    if (this.waitsForMemory) return;
    this.waitsForMemory = true;
    this.options.decodeBudget.whenIdle(() => {
      this.waitsForMemory = false;
      this.dispatch();
    });
  }

  private async runBatch(batch: readonly Queued<Waiting>[]): Promise<void> {
    try {
      const outcomes = await this.options.run(toTask(batch.map(({ value }) => value.item)));
      if (outcomes.length !== batch.length) {
        throw new Error(`the model gave ${outcomes.length} embeddings for ${batch.length} items`);
      }
      batch.forEach(({ value: { index, settle } }, n) => settle(index, outcomes[n]!));
    } catch (error) {
      for (const { value } of batch) value.fail(error);
    }
  }
}

function toQueued(waiting: Waiting, background: boolean): Queued<Waiting> {
  const { item } = waiting;
  if (typeof item !== 'string') {
    return { value: waiting, lane: background ? BACKGROUND : 'image', cost: imageCost(item.pixels) };
  }
  const kind = TEXT_LENGTHS.findIndex((length) => item.length <= length);
  return { value: waiting, lane: `text ${kind}`, cost: textCost(item.length) };
}

function toTask(items: readonly (string | ImageInput)[]): EncodeTask {
  const texts = items.filter((item) => typeof item === 'string');
  if (texts.length > 0) return { kind: 'text', items: texts };
  const images = items as readonly ImageInput[];
  return { kind: 'image', items: images.map(({ bytes }) => bytes) };
}

function memoryOf(items: readonly Queued<Waiting>[]): number {
  let sum = 0;
  for (const { value } of items) if (typeof value.item !== 'string') sum += value.item.memory;
  return sum;
}

/**
 * Which waiting items run next, so that everybody who waits gets on: weighted fair queueing (Demers, Keshav and
 * Shenker 1989), over clients and over the jobs of each.
 *
 * 1. A job is the items of one request. Clients and jobs have a virtual time, which advances by the cost of what ran
 *    for them; the client that is furthest behind goes next, with its job that is furthest behind. Who is new starts
 *    at the present, so a small job beside a huge one waits for about the batch under way.
 * 2. The present advances with the work done, divided by the number of those who share it. So a huge job is overtaken
 *    by new ones only as long as its own share is served.
 * 3. A batch takes items of one lane only (texts of about one length, images), from all jobs that have some,
 *    in the same order.
 */

/** One item in the queue. */
export interface Queued<T> {
  readonly value: T;
  readonly lane: string;
  /** Work, in the units of the compute limit. */
  readonly cost: number;
}

/** The items of one request that wait. */
export interface Job<T> {
  readonly client: Client<T>;
  readonly lanes: Map<string, Queued<T>[]>;
  time: number;
  waiting: number;
}

/** A client with jobs in the queue. */
interface Client<T> {
  readonly name: string;
  /** A client of weight 4 gets a quarter of the share of a client of weight 1. */
  readonly weight: number;
  readonly jobs: Set<Job<T>>;
  time: number;
  /** The present among its jobs. */
  clock: number;
}

type Eligible<T> = (job: Job<T>) => boolean;

export class FairQueue<T> {
  private readonly clients = new Map<string, Client<T>>();
  private clock = 0;
  private items = 0;

  /** Items that wait. */
  get length(): number {
    return this.items;
  }

  /** Adds a job. Items of a lane keep their order. */
  add(clientName: string, items: readonly Queued<T>[], weight = 1): Job<T> {
    let client = this.clients.get(clientName);
    if (client === undefined) {
      client = { name: clientName, weight, jobs: new Set(), time: this.clock, clock: 0 };
      this.clients.set(clientName, client);
    }
    const job: Job<T> = { client, lanes: new Map(), time: client.clock, waiting: items.length };
    for (const item of items) {
      const lane = job.lanes.get(item.lane);
      if (lane === undefined) job.lanes.set(item.lane, [item]);
      else lane.push(item);
    }
    // Taken from the end, which costs nothing.
    for (const lane of job.lanes.values()) lane.reverse();
    client.jobs.add(job);
    this.items += job.waiting;
    if (job.waiting === 0) this.finish(job);
    return job;
  }

  /** Drops what of a job still waits. */
  remove(job: Job<T>): void {
    if (!job.client.jobs.has(job)) return;
    this.items -= job.waiting;
    job.waiting = 0;
    this.finish(job);
  }

  /**
   * The next batch: of a lane of the job that is furthest behind, up to `most` items. `fits` says whether an item
   * may join the items taken so far; a lane whose first item does not fit an empty batch is passed over.
   */
  takeBatch(most: number, fits: (item: Queued<T>, taken: readonly Queued<T>[]) => boolean): Queued<T>[] {
    const taken: Queued<T>[] = [];
    const fitting = (lane: readonly Queued<T>[] | undefined) =>
      lane !== undefined && fits(lane.at(-1)!, taken);
    const first = this.furthestBehind(({ lanes }) => [...lanes.values()].some(fitting));
    if (first === undefined) return taken;
    const lane = [...first.lanes].find(([, items]) => fitting(items))![0];
    for (let job: Job<T> | undefined = first; job !== undefined && taken.length < most;) {
      taken.push(this.take(job, lane));
      job = this.furthestBehind(({ lanes }) => fitting(lanes.get(lane)));
    }
    return taken;
  }

  private furthestBehind(eligible: Eligible<T>): Job<T> | undefined {
    let best: Job<T> | undefined;
    for (const client of this.clients.values()) {
      if (best !== undefined && client.time >= best.client.time) continue;
      let first: Job<T> | undefined;
      for (const job of client.jobs) {
        if ((first === undefined || job.time < first.time) && eligible(job)) first = job;
      }
      best = first ?? best;
    }
    return best;
  }

  private take(job: Job<T>, laneName: string): Queued<T> {
    const { client } = job;
    const lane = job.lanes.get(laneName)!;
    const item = lane.pop()!;
    if (lane.length === 0) job.lanes.delete(laneName);
    job.waiting--;
    this.items--;
    job.time += item.cost;
    client.clock += item.cost / client.jobs.size;
    client.time += item.cost * client.weight;
    this.clock += item.cost / this.clients.size;
    if (job.waiting === 0) this.finish(job);
    return item;
  }

  private finish(job: Job<T>): void {
    const { client } = job;
    client.jobs.delete(job);
    if (client.jobs.size === 0) this.clients.delete(client.name);
  }
}

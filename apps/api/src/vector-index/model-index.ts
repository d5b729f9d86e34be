/**
 * The index over the embeddings of one model, kept in step with the database.
 *
 * 1. The database is the truth: the index holds a revision, and applying changes brings in what came after it.
 * 2. Vectors and graphs live in threads of their own (vector-index.ts).
 * 3. The graphs are saved when they have been built, after many changes, and at the end.
 *
 * One change at a time: the caller sees to it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { EmbeddingSource } from './embedding-source.js';
import { eachPage } from './pages.js';
import { VectorIndex } from './vector-index.js';
import type { VectorIndexSettings, VectorQuery, VectorResult } from './vector-index.js';

/** Changes after which saved graphs are saved again. */
const CHANGES_PER_SAVE = 5000;
/** How often a graph that is being built is asked how far it is, in milliseconds. */
const BUILD_CHECK_INTERVAL = 200;

export class ModelIndex {
  private readonly logger = new Logger('Index');
  private readonly index: VectorIndex;
  /** The revision of the database that the index shows. */
  private current = 0;
  private savedRevision = 0;
  private closed = false;
  /** Waits for graphs that are being built. */
  private building: Promise<void> | undefined;

  constructor(
    private readonly settings: VectorIndexSettings,
    private readonly source: EmbeddingSource,
  ) {
    this.index = new VectorIndex(settings);
  }

  get kind(): VectorIndex['kind'] {
    return this.index.kind;
  }

  get size(): number {
    return this.index.size;
  }

  get revision(): number {
    return this.current;
  }

  search(query: VectorQuery): Promise<VectorResult> {
    return this.index.search(query);
  }

  /** Fills the index with what the database has, from saved graphs as far as they can be used. */
  async open(): Promise<void> {
    const { model, exactLimit } = this.settings;
    const latestRevision = await this.source.revision();
    const count = await this.source.count(model);
    const { revision, unusable } =
      count > exactLimit ? await this.index.load(latestRevision) : { revision: 0, unusable: [] };
    if (unusable.length > 0) {
      const reasons = [...new Set(unusable)].join('; ');
      this.logger.log(`building the search graph over ${count} images: ${reasons}`);
    }
    this.savedRevision = revision;
    this.current = revision;
    await this.apply();
  }

  /** Brings the index to the present. */
  async apply(): Promise<void> {
    const from = this.current;
    const until = await this.source.revision();
    if (until === from) return;
    if (from > 0) await this.index.delete(await this.source.deletions(from, until));
    const query = { model: this.settings.model, after: from, until };
    await eachPage(
      (page) => this.source.embeddings({ ...query, ...page }),
      (entries) => this.index.set(entries),
    );
    this.current = until;
  }

  /** Saves the graphs in the background, as soon as they hold everything, when much has changed. */
  saveOnceBuilt(exclusively: <T>(run: () => Promise<T>) => Promise<T>): void {
    const isDue = this.savedRevision === 0 || this.current - this.savedRevision >= CHANGES_PER_SAVE;
    if (this.kind !== 'hnsw' || !isDue || this.building !== undefined) return;
    this.building = this.untilBuilt()
      .then(() => exclusively(() => this.save()))
      .catch((error: unknown) => this.logger.warn(`the search graph could not be saved: ${String(error)}`))
      .finally(() => {
        this.building = undefined;
      });
  }

  /** Waits until the graphs, where there are any, hold everything. */
  async untilBuilt(signal?: AbortSignal): Promise<void> {
    const started = performance.now();
    const isGivenUp = () => this.closed || signal?.aborted === true;
    while (!isGivenUp() && (await this.index.pending()) > 0) await delay(BUILD_CHECK_INTERVAL);
    if (isGivenUp() || this.kind !== 'hnsw') return;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    this.logger.log(`the search graph holds ${this.index.size} images after ${seconds} s`);
  }

  /** Saves the graphs and ends the threads. */
  async close(): Promise<void> {
    this.closed = true;
    await this.save();
    await this.index.close();
  }

  /** Saves the graphs when they have changed. */
  private async save(): Promise<void> {
    if (this.current === this.savedRevision || this.kind !== 'hnsw') return;
    try {
      if (await this.index.save(this.current)) this.savedRevision = this.current;
    } catch (error) {
      // A snapshot only saves time at the next start; after more changes it is tried again.
      this.logger.warn(`the search graph could not be saved: ${String(error)}`);
      this.savedRevision = this.current;
    }
  }
}

/**
 * Keeps the search index in step with the database.
 *
 * 1. The database is the truth: the index holds a revision, and catching up applies what changed after it.
 *    Starting, an upload, a deletion, re-embedding and changes by other processes are all the same step.
 * 2. Up to EXACT_SEARCH_LIMIT images the index is exact. Beyond it a graph is built in the background,
 *    the exact index answering meanwhile, and takes over once it has caught up.
 * 3. The graph is saved when it has been built, after many changes, and at the end.
 */
import { join } from 'node:path';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Mutex } from 'async-mutex';
import type { Registry } from 'prom-client';
import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import { gauge } from '../metrics/metrics.js';
import { Problem } from '../problems/problem.js';
import { CONFIG, DATABASE, METRICS } from '../providers.js';
import { EMBEDDING_SOURCE } from './embedding-source.js';
import type { EmbeddingSource } from './embedding-source.js';
import { ExactIndex } from './exact-index.js';
import { HnswIndex } from './hnsw-index.js';
import { SnapshotStore } from './snapshot.js';
import type { VectorIndex, VectorQuery, VectorResult } from './vector-index.js';

/** Rows read from the database at once. */
const PAGE = 1000;
/** Changes after which a saved graph is saved again. */
const CHANGES_PER_SAVE = 5000;
/** How often a shared database is asked for changes by other processes, in milliseconds. */
const SHARED_CHECK_INTERVAL = 1000;

@Injectable()
export class IndexService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Index');
  private readonly mutex = new Mutex();
  private readonly snapshots: SnapshotStore;
  private readonly model: { model: string; embeddingSize: number };
  private index: VectorIndex | undefined;
  /** The revision of the database that the index shows. */
  private revision = 0;
  private savedRevision = 0;
  private lastCheck = 0;
  /** A change that the index could not be told of. */
  private behind = false;
  private growing = false;
  private stopped = false;
  private failure: string | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(EMBEDDING_SOURCE) private readonly images: EmbeddingSource,
    @Inject(EmbeddingService) embeddings: EmbeddingService,
    @Inject(METRICS) metrics: Registry,
  ) {
    this.model = { model: embeddings.model.hash, embeddingSize: embeddings.model.embeddingSize };
    this.snapshots = new SnapshotStore(join(config.DATA_DIR, 'index'));
    gauge(metrics, 'index_images', 'Images that search can find.', () => this.index?.size ?? 0);
    gauge(metrics, 'index_revision', 'Revision that the index shows.', () => this.revision);
  }

  /** Why search cannot answer yet, or undefined when it can. */
  get notReady(): string | undefined {
    if (this.failure !== undefined) return this.failure;
    if (this.stopped) return 'the server is stopping';
    return this.index === undefined ? 'the search index is being loaded' : undefined;
  }

  get status(): { kind: VectorIndex['kind'] | null; images: number } {
    return { kind: this.index?.kind ?? null, images: this.index?.size ?? 0 };
  }

  onApplicationBootstrap(): void {
    void this.mutex
      .runExclusive(() => this.open())
      .catch((error: unknown) => {
        this.failure = 'the search index cannot be loaded; the log of the server says why';
        this.logger.error(error instanceof Error ? error.stack : String(error));
      });
  }

  /** After the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.mutex.runExclusive(() => this.save());
  }

  /**
   * Applies everything that the database has and the index has not. Called after each change, which is stored by
   * then: when the database goes away meanwhile, the next search catches up.
   */
  async catchUp(): Promise<void> {
    try {
      await this.mutex.runExclusive(async () => {
        if (this.index === undefined || this.stopped) return;
        this.revision = await this.applyChanges(this.index, this.revision);
        this.behind = false;
        if (this.revision - this.savedRevision >= CHANGES_PER_SAVE) await this.save();
      });
      this.growIfNeeded();
    } catch (error) {
      this.behind = true;
      this.logger.warn(`search is behind the database: ${String(error)}`);
    }
  }

  /** The nearest images. Throws not_ready while loading and page_too_deep from the depth of the graph on. */
  async search(query: VectorQuery & { offset: number }): Promise<VectorResult & { depth?: number }> {
    if (this.notReady !== undefined) {
      throw new Problem('not_ready', `Search cannot answer: ${this.notReady}.`, { retryAfter: 1 });
    }
    const isDue = this.database.shared && Date.now() - this.lastCheck > SHARED_CHECK_INTERVAL;
    if (isDue || this.behind) {
      this.lastCheck = Date.now();
      await this.catchUp();
    }
    const index = this.index!;
    if (query.offset >= index.depth) {
      throw new Problem(
        'page_too_deep',
        `offset is ${query.offset}; the search graph ranks the first ${index.depth} images (SEARCH_DEPTH).`,
      );
    }
    const last = Math.min(query.offset + query.limit, index.depth);
    const { matches, total } = index.search({ ...query, limit: last });
    const depth = Number.isFinite(index.depth) ? index.depth : undefined;
    return { matches: matches.slice(query.offset), total, depth };
  }

  private async open(): Promise<void> {
    const latestRevision = await this.images.revision();
    const count = await this.images.count();
    let index: VectorIndex = new ExactIndex(this.model.embeddingSize);
    let revision = 0;
    if (count > this.config.EXACT_SEARCH_LIMIT) {
      const stored = await this.snapshots.load({
        ...this.model,
        depth: this.config.SEARCH_DEPTH,
        latestRevision,
      });
      if ('index' in stored) {
        ({ index, revision } = stored);
      } else {
        this.logger.log(`building the search graph over ${count} images: ${stored.unusable}`);
        index = this.emptyGraph();
      }
      this.savedRevision = revision;
    }
    this.revision = await this.applyChanges(index, revision);
    this.index = index;
    this.logger.log(`${index.size} images can be searched (${index.kind}, revision ${this.revision})`);
    await this.save();
  }

  /** Brings `index` from revision `from` to the present and returns the revision that it then shows. */
  private async applyChanges(index: VectorIndex, from: number): Promise<number> {
    const until = await this.images.revision();
    if (until === from) return from;
    if (from > 0) index.delete(await this.images.deletions(from, until));
    let afterKey = -1;
    for (;;) {
      const entries = await this.images.embeddings({
        model: this.model.model,
        after: from,
        until,
        afterKey,
        limit: PAGE,
      });
      await index.set(entries);
      if (entries.length < PAGE) return until;
      afterKey = entries.at(-1)!.key;
    }
  }

  private growIfNeeded(): void {
    const { index } = this;
    if (this.growing || this.stopped || !index?.outgrown(this.config.EXACT_SEARCH_LIMIT)) return;
    this.growing = true;
    void this.grow(index)
      .catch((error: unknown) => {
        this.logger.error(error instanceof Error ? error.stack : String(error));
      })
      .finally(() => {
        this.growing = false;
      });
  }

  private async grow(exact: VectorIndex): Promise<void> {
    const graph = this.emptyGraph();
    const { entries, revision } = await this.mutex.runExclusive(async () => ({
      entries: exact.entries(),
      revision: this.revision,
    }));
    this.logger.log(`building the search graph over ${entries.length} images in the background`);
    for (let start = 0; start < entries.length; start += PAGE) {
      if (this.stopped) return;
      await graph.set(entries.slice(start, start + PAGE));
    }
    await this.mutex.runExclusive(async () => {
      this.revision = await this.applyChanges(graph, revision);
      this.index = graph;
      await this.save();
    });
    this.logger.log(`the search graph took over (${graph.size} images)`);
  }

  private emptyGraph(): VectorIndex {
    return HnswIndex.empty(this.model.embeddingSize, this.config.SEARCH_DEPTH);
  }

  /** Saves the graph when it has changed. Runs under the mutex, so that it does not change meanwhile. */
  private async save(): Promise<void> {
    if (this.revision === this.savedRevision) return;
    const snapshot = this.index?.snapshot();
    if (snapshot === undefined) return;
    try {
      await this.snapshots.save(snapshot, { ...this.model, revision: this.revision });
    } catch (error) {
      // A snapshot only saves time at the next start; after more changes it is tried again.
      this.logger.warn(`the search graph could not be saved: ${String(error)}`);
    }
    this.savedRevision = this.revision;
  }
}

/**
 * Keeps the search index in step with the database.
 *
 * 1. The database is the truth: the index holds a revision, and catching up applies what changed after it. Starting,
 *    an upload, a deletion, re-embedding and changes by other processes are all the same step.
 * 2. Vectors and graphs live in threads of their own (vector-index.ts); tags here.
 * 3. The graphs are saved when they have been built, after many changes, and at the end.
 */
import { usableCores } from '@clip-ts/clip/system';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
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
import { TagIndex } from './tag-index.js';
import { VectorIndex, type VectorQuery, type VectorResult } from './vector-index.js';

/** Rows read from the database at once. */
const PAGE = 1000;
/** Changes after which saved graphs are saved again. */
const CHANGES_PER_SAVE = 5000;
/** How often a shared database is asked for changes by other processes, in milliseconds. */
const SHARED_CHECK_INTERVAL = 1000;
/** How often a graph that is being built is asked how far it is, in milliseconds. */
const BUILD_CHECK_INTERVAL = 200;
/** More threads than this gain little: each query visits all of them. */
const MOST_SHARDS = 4;

export interface ImageQuery extends Omit<VectorQuery, 'among'> {
  /** Only images that carry all of these tags. */
  tags?: readonly string[];
}

@Injectable()
export class IndexService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Index');
  private readonly mutex = new Mutex();
  private readonly index: VectorIndex;
  private readonly tags = new TagIndex();
  private readonly model: string;
  private isOpen = false;
  /** The revision of the database that the index shows. */
  private revision = 0;
  private savedRevision = 0;
  private lastCheck = 0;
  /** A change that the index could not be told of. */
  private behind = false;
  private stopped = false;
  private failure: string | undefined;
  /** Waits for graphs that are being built. */
  private building: Promise<void> | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(EMBEDDING_SOURCE) private readonly images: EmbeddingSource,
    @Inject(EmbeddingService) embeddings: EmbeddingService,
    @Inject(METRICS) metrics: Registry,
  ) {
    const { hash, embeddingSize } = embeddings.model;
    this.model = hash;
    this.index = new VectorIndex({
      model: hash,
      embeddingSize,
      folder: join(config.DATA_DIR, 'index'),
      shards: Math.min(usableCores(), MOST_SHARDS),
      exactLimit: config.EXACT_SEARCH_LIMIT,
      onFailure: (error) => this.fail(error),
    });
    gauge(metrics, 'index_images', 'Images that search can find.', () => this.index.size);
    gauge(metrics, 'index_revision', 'Revision that the index shows.', () => this.revision);
  }

  /** Why search cannot answer yet, or undefined when it can. */
  get notReady(): string | undefined {
    if (this.failure !== undefined) return this.failure;
    if (this.stopped) return 'the server is stopping';
    return this.isOpen ? undefined : 'the search index is being loaded';
  }

  get status(): { kind: VectorIndex['kind'] | null; images: number } {
    return this.isOpen ? { kind: this.index.kind, images: this.index.size } : { kind: null, images: 0 };
  }

  onApplicationBootstrap(): void {
    void this.mutex.runExclusive(() => this.open()).catch((error: unknown) => this.fail(error));
  }

  /** After the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.building;
    await this.mutex.runExclusive(() => this.save());
    await this.index.close();
  }

  /**
   * Applies everything that the database has and the index has not. Called after each change, which is stored by
   * then: when the database goes away meanwhile, the next search catches up.
   */
  async catchUp(): Promise<void> {
    try {
      await this.mutex.runExclusive(async () => {
        if (!this.isOpen || this.stopped) return;
        await this.applyChanges();
        this.behind = false;
        this.saveOnceBuilt();
      });
    } catch (error) {
      this.behind = true;
      this.logger.warn(`search is behind the database: ${String(error)}`);
    }
  }

  /** The nearest images. Throws not_ready while loading. */
  async search({ tags, ...query }: ImageQuery): Promise<VectorResult> {
    this.throwIfNotReady();
    const isDue = this.database.shared && Date.now() - this.lastCheck > SHARED_CHECK_INTERVAL;
    if (isDue || this.behind) {
      this.lastCheck = Date.now();
      await this.catchUp();
    }
    const among = tags === undefined || tags.length === 0 ? undefined : this.tags.withAll(tags);
    try {
      return await this.index.search({ ...query, among });
    } catch (error) {
      this.throwIfNotReady();
      throw error;
    }
  }

  private throwIfNotReady(): void {
    if (this.notReady !== undefined)
      throw new Problem('not_ready', `Search cannot answer: ${this.notReady}.`, { retryAfter: 1 });
  }

  private async open(): Promise<void> {
    const latestRevision = await this.images.revision();
    const count = await this.images.count();
    const needsGraphs = count > this.config.EXACT_SEARCH_LIMIT;
    const { revision, unusable } = needsGraphs
      ? await this.index.load(latestRevision)
      : { revision: 0, unusable: [] };
    if (unusable.length > 0) {
      const reasons = [...new Set(unusable)].join('; ');
      this.logger.log(`building the search graph over ${count} images: ${reasons}`);
    }
    this.savedRevision = revision;
    await this.applyTags(0, latestRevision);
    this.revision = revision;
    await this.applyChanges();
    this.isOpen = true;
    this.logger.log(
      `${this.index.size} images can be searched (${this.index.kind}, revision ${this.revision})`,
    );
    this.saveOnceBuilt();
  }

  /** Brings the index to the present. */
  private async applyChanges(): Promise<void> {
    const from = this.revision;
    const until = await this.images.revision();
    if (until === from) return;
    if (from > 0) {
      const deleted = await this.images.deletions(from, until);
      for (const key of deleted) this.tags.delete(key);
      await this.index.delete(deleted);
    }
    await this.applyTags(from, until);
    const query = { model: this.model, after: from, until };
    await eachPage(
      (page) => this.images.embeddings({ ...query, ...page }),
      (entries) => this.index.set(entries),
    );
    this.revision = until;
  }

  private applyTags(after: number, until: number): Promise<void> {
    return eachPage(
      (page) => this.images.tags({ after, until, ...page }),
      async (rows) => {
        for (const { key, tags } of rows) this.tags.set(key, tags);
      },
    );
  }

  /** Saves the graphs in the background, as soon as they hold everything, when much has changed. */
  private saveOnceBuilt(): void {
    const isDue = this.savedRevision === 0 || this.revision - this.savedRevision >= CHANGES_PER_SAVE;
    if (this.index.kind !== 'hnsw' || !isDue || this.building !== undefined) return;
    this.building = this.untilBuilt()
      .then(() => this.mutex.runExclusive(() => this.save()))
      .catch((error: unknown) => this.logger.warn(`the search graph could not be saved: ${String(error)}`))
      .finally(() => {
        this.building = undefined;
      });
  }

  private async untilBuilt(): Promise<void> {
    const started = performance.now();
    while (!this.stopped && (await this.index.pending()) > 0) await delay(BUILD_CHECK_INTERVAL);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (!this.stopped) this.logger.log(`the search graph holds ${this.index.size} images after ${seconds} s`);
  }

  /** Saves the graphs when they have changed. Runs under the mutex, so that they do not change meanwhile. */
  private async save(): Promise<void> {
    if (this.revision === this.savedRevision || this.index.kind !== 'hnsw') return;
    try {
      if (await this.index.save(this.revision)) this.savedRevision = this.revision;
    } catch (error) {
      // A snapshot only saves time at the next start; after more changes it is tried again.
      this.logger.warn(`the search graph could not be saved: ${String(error)}`);
      this.savedRevision = this.revision;
    }
  }

  private fail(error: unknown): void {
    this.failure ??= 'the search index cannot be used; the log of the server says why';
    this.logger.error(error instanceof Error ? error.stack : String(error));
  }
}

/** Reads pages by key until one is not full. */
async function eachPage<Row extends { key: number }>(
  read: (page: { afterKey: number; limit: number }) => Promise<Row[]>,
  apply: (rows: Row[]) => Promise<void>,
): Promise<void> {
  let afterKey = -1;
  for (;;) {
    const rows = await read({ afterKey, limit: PAGE });
    await apply(rows);
    if (rows.length < PAGE) return;
    afterKey = rows.at(-1)!.key;
  }
}

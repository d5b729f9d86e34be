/**
 * Keeps the search indexes in step with the database: one for the model that answers, and a second one while another
 * model takes over. A query says which model its vector is of, so vectors of two models never meet.
 *
 * Catching up is the same step for a start, an upload, a deletion, a build, and changes by other processes. What search
 * can be narrowed by is of the images, whatever the model, and is kept here.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { usableCores } from '@clip-ts/clip/system';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Mutex } from 'async-mutex';
import type { Registry } from 'prom-client';
import type { Config } from '../config/config.js';
import type { Database } from '../database/database.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ModelInfo } from '../encoder/encoder.js';
import { gauge } from '../metrics/metrics.js';
import { Problem } from '../problems/problem.js';
import { CONFIG, DATABASE, METRICS } from '../providers.js';
import { AttributeIndex, type ImageFilter } from './filter/attribute-index.js';
import { EMBEDDING_SOURCE } from './embedding-source.js';
import type { EmbeddingSource } from './embedding-source.js';
import { ModelIndex } from './model-index.js';
import { eachPage } from './pages.js';
import type { VectorQuery, VectorResult } from './vector-index.js';

/** How often a shared database is asked for changes by other processes, in milliseconds. */
const SHARED_CHECK_INTERVAL = 1000;
/** More threads than this gain little: each query visits all of them. */
const MOST_SHARDS = 4;

export interface ImageQuery extends Omit<VectorQuery, 'among'> {
  /** Hash of the model that made the vector. */
  model: string;
  filter: ImageFilter;
}

@Injectable()
export class IndexService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Index');
  private readonly mutex = new Mutex();
  private readonly indexes = new Map<string, ModelIndex>();
  /** An index that is being filled. */
  private opening: Promise<void> | undefined;
  private readonly attributes = new AttributeIndex();
  /** The revision of the database that the attributes show. */
  private attributeRevision = 0;
  private lastCheck = 0;
  /** A change that the indexes could not be told of. */
  private behind = false;
  private stopped = false;
  private failure: string | undefined;
  private readonly folder: string;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(EMBEDDING_SOURCE) private readonly source: EmbeddingSource,
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(METRICS) metrics: Registry,
  ) {
    this.folder = join(config.DATA_DIR, 'index');
    gauge(metrics, 'index_images', 'Images that search can find.', () => this.answering?.size ?? 0);
    gauge(metrics, 'index_revision', 'Revision that the index shows.', () => this.answering?.revision ?? 0);
  }

  /** Why search cannot answer yet, or undefined when it can. */
  get notReady(): string | undefined {
    if (this.failure !== undefined) return this.failure;
    if (this.stopped) return 'the server is stopping';
    return this.answering === undefined ? 'the search index is being loaded' : undefined;
  }

  get status(): { kind: ModelIndex['kind'] | null; images: number } {
    const { answering } = this;
    return answering === undefined
      ? { kind: null, images: 0 }
      : { kind: answering.kind, images: answering.size };
  }

  onApplicationBootstrap(): void {
    void this.open(this.embeddings.model).catch((error: unknown) => this.fail(error));
  }

  /** After the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.opening?.catch(() => undefined);
    await this.mutex.runExclusive(async () => {
      for (const index of this.indexes.values()) await index.close();
    });
  }

  /** Opens the index of a model unless it is open, with everything that the database has. */
  async open(model: ModelInfo): Promise<void> {
    const index = this.indexes.get(model.hash);
    if (index !== undefined || this.stopped) return;
    this.opening ??= this.fill(model).finally(() => {
      this.opening = undefined;
    });
    await this.opening;
    await this.open(model);
  }

  /** Waits until the graphs of an open index, where there are any, hold everything. */
  async untilBuilt(model: string, signal?: AbortSignal): Promise<void> {
    await this.indexes.get(model)?.untilBuilt(signal);
  }

  /** Closes the indexes of models that answer no more: all but these. */
  async keepOnly(models: readonly string[]): Promise<void> {
    await this.mutex.runExclusive(async () => {
      for (const [model, index] of this.indexes) {
        if (models.includes(model)) continue;
        this.indexes.delete(model);
        await index.close();
      }
    });
  }

  /** Removes the saved graphs of all other models. */
  async prune(models: readonly string[]): Promise<void> {
    const names = await readdir(this.folder).catch((): string[] => []);
    for (const name of names) {
      if (!models.includes(name)) await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  /**
   * Applies everything that the database has and the indexes have not. Called after each change, which is stored by
   * then: when the database goes away meanwhile, the next search catches up.
   */
  async catchUp(): Promise<void> {
    try {
      await this.mutex.runExclusive(async () => {
        if (this.stopped) return;
        if (this.indexes.size > 0) await this.applyAttributes();
        for (const index of this.indexes.values()) {
          await index.apply();
          index.saveOnceBuilt((run) => this.mutex.runExclusive(run));
        }
        this.behind = false;
      });
    } catch (error) {
      this.behind = true;
      this.logger.warn(`search is behind the database: ${String(error)}`);
    }
  }

  /** The nearest images. Throws not_ready while loading. */
  async search({ filter, model, ...query }: ImageQuery): Promise<VectorResult & { largestKey: number }> {
    this.throwIfNotReady();
    const isDue = this.database.shared && Date.now() - this.lastCheck > SHARED_CHECK_INTERVAL;
    if (isDue || this.behind) {
      this.lastCheck = Date.now();
      await this.catchUp();
    }
    const { largestKey } = this.attributes;
    const among = this.attributes.matching(filter);
    const index = this.indexes.get(model);
    if (index === undefined) throw notReady('the search index is being loaded');
    try {
      return { ...(await index.search({ ...query, among })), largestKey };
    } catch (error) {
      this.throwIfNotReady();
      throw error;
    }
  }

  private get answering(): ModelIndex | undefined {
    return this.indexes.get(this.embeddings.model.hash);
  }

  private throwIfNotReady(): void {
    if (this.notReady !== undefined) throw notReady(this.notReady);
  }

  private create({ hash, embeddingSize }: ModelInfo): ModelIndex {
    const settings = {
      model: hash,
      embeddingSize,
      folder: join(this.folder, hash),
      shards: Math.min(usableCores(), MOST_SHARDS),
      exactLimit: this.config.EXACT_SEARCH_LIMIT,
      onFailure: (error: Error) => this.fail(error),
    };
    return new ModelIndex(settings, this.source);
  }

  /** Fills a new index beside those that answer, and puts it among them. */
  private async fill(model: ModelInfo): Promise<void> {
    const index = this.create(model);
    await index.open();
    await this.mutex.runExclusive(async () => {
      if (this.stopped) return index.close();
      await this.applyAttributes();
      await index.apply();
      this.indexes.set(model.hash, index);
      const { size, kind, revision } = index;
      this.logger.log(`${size} images can be searched (${kind}, revision ${revision}, ${model.name})`);
      index.saveOnceBuilt((run) => this.mutex.runExclusive(run));
    });
  }

  /** Brings the attributes to the present. */
  private async applyAttributes(): Promise<void> {
    const after = this.attributeRevision;
    const until = await this.source.revision();
    if (until === after) return;
    if (after > 0) for (const key of await this.source.deletions(after, until)) this.attributes.delete(key);
    await eachPage(
      (page) => this.source.attributes({ after, until, ...page }),
      async (rows) => {
        for (const row of rows) this.attributes.set(row);
      },
    );
    this.attributeRevision = until;
  }

  private fail(error: unknown): void {
    this.failure ??= 'the search index cannot be used; the log of the server says why';
    this.logger.error(error instanceof Error ? error.stack : String(error));
  }
}

const notReady = (reason: string) =>
  new Problem('not_ready', `Search cannot answer: ${reason}.`, { retryAfter: 1 });

/**
 * Encodes the images of which a model lacks the embedding, in the background: all of them for the generation that is
 * to take over, and for the one that answers what was added while it did not.
 *
 * 1. Progress is the rows that are written; a build that was interrupted at any moment resumes with what is missing.
 * 2. Of services that share a database one builds, the one with the lease.
 * 3. The next generation takes over when no image lacks its embedding, checked under the lock that every change takes.
 * 4. An image that cannot be read or encoded does not hold that up, as long as there are few: many are a sign of a
 *    folder
 *    that is unavailable.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Registry } from 'prom-client';
import type { Config } from '../config/config.js';
import { EmbeddingService } from '../encoder/embedding.service.js';
import type { ModelInfo } from '../encoder/encoder.js';
import type { ModelEmbeddings } from '../encoder/model-embeddings.js';
import type { Image } from '../generated/prisma/client.js';
import { EmbeddingRepository } from '../images/embedding.repository.js';
import { memoryOfStored } from '../image-file/image-format.js';
import { ImageService } from '../images/image.service.js';
import { gauge } from '../metrics/metrics.js';
import { Problem } from '../problems/problem.js';
import { CONFIG, METRICS } from '../providers.js';
import { IndexService } from '../vector-index/index.service.js';
import { GenerationRepository } from './generation.repository.js';
import { GenerationService } from './generation.service.js';

/** Images that are encoded at once. */
const BATCH = 32;
/** How often the database is asked for changes of others, and a build is looked at again, in milliseconds. */
const INTERVAL = 1000;
/** Wait after images could not be read, in milliseconds. */
const RETRY = 30_000;
/** How often a lease is renewed while it lasts. */
const RENEWALS = 3;
/** At most this many images, or this share of all, may be missing from a generation that takes over. */
const FEW = 10;
const SMALL_SHARE = 0.1;
const MINUTE = 60_000;

/** How far the work on one model is. */
interface Progress {
  /** Images that changed after this revision are still to be looked at. */
  checked: number;
  /** Images that could not be encoded. */
  failed: number;
  /** Not before this time, by performance.now(). */
  notBefore: number;
}

@Injectable()
export class BuilderService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Builder');
  private readonly stop = new AbortController();
  private readonly builder = randomUUID();
  private readonly progress = new Map<string, Progress>();
  private work: Promise<void> = Promise.resolve();
  private wakeUp: (() => void) | undefined;
  /** Images that are still to be encoded, by the model that is being worked on. */
  remaining = 0;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(GenerationRepository) private readonly generations: GenerationRepository,
    @Inject(GenerationService) private readonly service: GenerationService,
    @Inject(EmbeddingRepository) private readonly rows: EmbeddingRepository,
    @Inject(ImageService) private readonly images: ImageService,
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(IndexService) private readonly index: IndexService,
    @Inject(METRICS) metrics: Registry,
  ) {
    gauge(metrics, 'images_to_encode', 'Images that a model still has to encode.', () => this.remaining);
  }

  /** Few where a rate is set, so that they are spread over the minute. */
  private get batchSize(): number {
    const { MODEL_BUILD_RATE: perMinute } = this.config;
    return perMinute === 0 ? BATCH : Math.min(BATCH, Math.ceil(perMinute / 60));
  }

  private get stopped(): boolean {
    return this.stop.signal.aborted;
  }

  async onApplicationBootstrap(): Promise<void> {
    // Nobody else can be building.
    if (!this.generations.shared) await this.generations.release();
    const { next } = await this.generations.choice();
    this.remaining = await this.rows.countLacking(next ?? this.embeddings.model.hash, 0);
    this.work = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    this.wakeUp?.();
    await this.work;
    await this.generations.release(this.builder).catch(() => undefined);
  }

  /** Looks at once what is to be done. */
  wake(): void {
    this.wakeUp?.();
  }

  /** What holds up the build of a model, or null. */
  trouble(model: string): string | null {
    const failed = this.progress.get(model)?.failed ?? 0;
    return failed === 0
      ? null
      : `${failed} images cannot be read or encoded; the log of the server names them`;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      let isBusy = true;
      try {
        isBusy = await this.turn();
      } catch (error) {
        if (!this.stopped)
          this.logger.warn(`tries again: ${error instanceof Error ? error.message : String(error)}`);
      }
      if (!this.stopped) await this.sleep(isBusy || this.generations.shared ? INTERVAL : undefined);
    }
  }

  /** Does what is to be done. Returns whether there will be more without a change from outside. */
  private async turn(): Promise<boolean> {
    const { next } = await this.service.follow();
    const answering = this.embeddings.model.hash;
    await this.fill(answering);
    if (next !== null && next !== answering) await this.fill(next);
    if (next !== null) await this.finish(next);
    while (!this.stopped && (await this.generations.removeDiscarded()));
    await this.service.prune();
    return (await this.generations.choice()).next !== null || this.remaining > 0;
  }

  /** Encodes what a model lacks, as far as it is loaded and no other service does it. */
  private async fill(model: string): Promise<void> {
    const embeddings = this.embeddings.get(model);
    const progress = this.progressOf(model);
    if (embeddings === undefined || performance.now() < progress.notBefore) return;
    const until = await this.rows.revision();
    if (until === progress.checked || !(await this.generations.claim(model, this.builder))) return;
    const renewal = setInterval(
      () => void this.generations.claim(model, this.builder).catch(() => undefined),
      (1000 * this.config.IMPORT_LEASE) / RENEWALS,
    );
    try {
      await this.pass(embeddings.model, progress);
      if (!this.stopped && (await this.isWanted(model))) progress.checked = until;
    } finally {
      clearInterval(renewal);
    }
  }

  /** Goes once through the images that a model lacks. */
  private async pass({ hash, name }: ModelInfo, progress: Progress): Promise<void> {
    const count = await this.rows.countLacking(hash, progress.checked);
    this.remaining = count;
    if (count > BATCH) this.logger.log(`${count} images are to be encoded by ${name}`);
    let failed = 0;
    let afterKey = -1;
    while (!this.stopped && (await this.isWanted(hash))) {
      const started = performance.now();
      const rows = await this.rows.lacking(hash, progress.checked, afterKey, this.batchSize);
      const last = rows.at(-1);
      if (last === undefined) break;
      afterKey = last.key;
      // Batch by batch: a model that is not wanted any more is closed between two of them.
      const embeddings = this.embeddings.get(hash);
      if (embeddings === undefined) break;
      failed += await embeddings.use(() => this.encode(embeddings, rows));
      this.remaining = Math.max(0, this.remaining - rows.length);
      await this.rest(rows.length, started);
    }
    progress.failed = failed + (progress.checked === 0 ? 0 : progress.failed);
    this.remaining = 0;
    if (!this.stopped && count > BATCH) this.logger.log(`${count - failed} images were encoded by ${name}`);
  }

  /** Whether a model still answers or is to take over. */
  private async isWanted(model: string): Promise<boolean> {
    const { active, next } = await this.generations.choice();
    return [active, next, this.embeddings.model.hash].includes(model);
  }

  /** Encodes images and stores what came of it. Returns how many could not be. */
  private async encode(embeddings: ModelEmbeddings, rows: readonly Image[]): Promise<number> {
    const present: { row: Image; bytes: Buffer; memory: number }[] = [];
    for (const row of rows) {
      try {
        const bytes = await this.images.read(row);
        present.push({ row, bytes, memory: await memoryOfStored(bytes) });
      } catch {
        this.logger.warn(`the file of image ${row.id} cannot be read`);
      }
    }
    const results = await embeddings.images(
      present.map(({ row, bytes, memory }) => ({ bytes, pixels: row.width * row.height, memory })),
    );
    const encoded = present.flatMap(({ row }, index) => {
      const embedding = results[index]!;
      if (!(embedding instanceof Problem)) return [{ key: row.key, embedding }];
      this.logger.warn(`image ${row.id}: ${embedding.message}`);
      return [];
    });
    if (encoded.length > 0) {
      await this.rows.store(encoded, embeddings.model.hash);
      await this.index.catchUp();
    }
    return rows.length - encoded.length;
  }

  /** Leaves the processor to others when the setting says so. */
  private async rest(images: number, started: number): Promise<void> {
    const { MODEL_BUILD_RATE: perMinute } = this.config;
    if (perMinute === 0) return;
    const pause = (images / perMinute) * MINUTE - (performance.now() - started);
    if (pause > 0) await delay(pause, undefined, { signal: this.stop.signal }).catch(() => undefined);
  }

  /** Has the next generation take over when it is complete. */
  private async finish(model: string): Promise<void> {
    const progress = this.progressOf(model);
    const loaded = this.embeddings.get(model);
    if (this.stopped || loaded === undefined || progress.checked === 0) return;
    if (performance.now() < progress.notBefore) return;
    const { failed } = progress;
    const total = failed + (await this.rows.count(model));
    if (failed > 0 && (failed === total || failed > Math.max(FEW, total * SMALL_SHARE))) {
      this.logger.error(`${failed} of ${total} images cannot be read: the new model waits until they can`);
      this.progress.set(model, { checked: 0, failed, notBefore: performance.now() + RETRY });
      return;
    }
    // Loaded and built before, so that what follows takes a moment.
    await this.index.open(loaded.model);
    await this.index.untilBuilt(model, this.stop.signal);
    if (this.stopped || !(await this.generations.claim(model, this.builder))) return;
    if (!(await this.generations.finish(model, progress.checked))) return;
    await this.service.follow();
    await this.generations.retire();
  }

  private progressOf(model: string): Progress {
    let progress = this.progress.get(model);
    if (progress === undefined) {
      progress = { checked: 0, failed: 0, notBefore: 0 };
      this.progress.set(model, progress);
    }
    return progress;
  }

  private async sleep(milliseconds: number | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      if (milliseconds !== undefined) setTimeout(resolve, milliseconds).unref();
    });
    this.wakeUp = undefined;
  }
}

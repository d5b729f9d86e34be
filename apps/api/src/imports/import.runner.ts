/**
 * Runs import jobs, one at a time, in the background.
 *
 * 1. A job's position is saved after every batch; a job that was interrupted resumes from there at the next start.
 * 2. Doing a batch twice adds nothing twice: images are known by the hash of their bytes.
 * 3. Services that share a database share its jobs: each job is run by the one that holds its lease.
 * 4. A full disk or an unreachable database does not fail a job: it waits and resumes.
 * 5. A batch that was cut off is done again and counted right: each image says which batch added it.
 * 6. Who pauses or cancels a job takes it from its runner, which finds that when it writes its progress down.
 * 7. A file that cannot be taken is counted and named; it does not stop the job.
 */
import { randomUUID } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readImageBytes } from '@clip-ts/clip/data';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '../config/config.js';
import type { ImportJob } from '../generated/prisma/client.js';
import { imageId } from '../images/file-store.js';
import { ImageIntake } from '../images/image-intake.js';
import type { IncomingImage } from '../images/image-intake.js';
import { isTemporary } from '../problems/outages.js';
import { Problem } from '../problems/problem.js';
import { toProblem } from '../problems/translate.js';
import { CONFIG } from '../providers.js';
import { isBelow, resolveImportPath } from './import-root.js';
import type { SourceImage, SourceItem } from './import-source.js';
import { ImportRepository } from './import.repository.js';
import { failuresSchema } from './import.schema.js';
import type { ImportFailure } from './import.schema.js';
import { readSourceInThread } from './source-thread.js';

const BATCH = 32;
/** How often leases are renewed and jobs of services that have died are looked for, while one lease lasts. */
const RENEWALS = 3;
/** Failures that a job remembers by name. */
const MAX_FAILURES = 20;

/** First and longest wait for a disk or a database, in milliseconds. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/** The service is ending; the job resumes at the next start. */
class Stopped extends Error {}

@Injectable()
export class ImportRunner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Import');
  private work: Promise<void> | undefined;
  /** Name of this service on the jobs that it runs. */
  private readonly runner = randomUUID();
  private renewal: NodeJS.Timeout | undefined;
  private wanted = false;
  private readonly stop = new AbortController();

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(ImportRepository) private readonly jobs: ImportRepository,
    @Inject(ImageIntake) private readonly images: ImageIntake,
  ) {}

  private get stopped(): boolean {
    return this.stop.signal.aborted;
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.jobs.shared) {
      this.renewal = setInterval(
        () => {
          this.renew();
        },
        (1000 * this.config.IMPORT_LEASE) / RENEWALS,
      );
      this.renewal.unref();
    } else {
      // Nobody else can be running them.
      await this.jobs.release();
    }
    this.wake();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    clearInterval(this.renewal);
    await this.work;
    if (this.jobs.shared) await this.jobs.release(this.runner).catch(() => undefined);
  }

  /** Has every unfinished job run, also those that are created while others run. */
  wake(): void {
    this.wanted = true;
    this.work ??= this.runAll();
  }

  /** While the database is away nothing is renewed; a job that another service then takes is noticed at its next batch. */
  private renew(): void {
    this.jobs.renew(this.runner).catch((error: unknown) => {
      this.logger.warn(
        `leases of imports were not renewed: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    this.wake();
  }

  private async runAll(): Promise<void> {
    const next = () => this.patiently(() => this.next());
    try {
      while (this.wanted && !this.stopped) {
        this.wanted = false;
        for (let job = await next(); job !== null; job = await next()) await this.runOrFail(job);
      }
    } catch (error) {
      if (!(error instanceof Stopped))
        this.logger.error(error instanceof Error ? error.stack : String(error));
    } finally {
      this.work = undefined;
    }
  }

  private async next(): Promise<ImportJob | null> {
    return this.stopped ? null : this.jobs.claim(this.runner);
  }

  private async runOrFail(job: ImportJob): Promise<void> {
    try {
      await this.run(job);
    } catch (error) {
      if (error instanceof Stopped) return;
      const known = error instanceof Problem;
      if (!known) this.logger.error(error instanceof Error ? error.stack : String(error));
      const reason = known ? error.message : 'The server failed. Its log says why.';
      await this.save(job, { status: 'failed', error: reason, finishedAt: new Date() });
    }
  }

  /** Retries temporary failures, with at most half a minute between two attempts, until it succeeds or fails for good. */
  private async patiently<T>(run: () => Promise<T>): Promise<T> {
    for (let wait = FIRST_WAIT; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      if (this.stopped) throw new Stopped();
      try {
        return await run();
      } catch (error) {
        const problem = toProblem(error);
        if (!isTemporary(problem)) throw error;
        this.logger.warn(`waits ${wait / 1000} s: ${problem.message}`);
        await delay(wait, undefined, { signal: this.stop.signal }).catch(() => undefined);
      }
    }
  }

  private async run(job: ImportJob): Promise<void> {
    const path = await resolveImportPath(job.path, this.config.IMPORT_ROOT);
    const options = {
      format: job.format,
      split: job.split ?? undefined,
      limit: job.maxImages ?? undefined,
      formats: this.config.IMAGE_FORMATS,
    };
    const source = await readSourceInThread(path, options, this.stop.signal).catch((error: unknown) => {
      throw this.stopped ? new Stopped() : error;
    });
    const counts = {
      processed: job.processed,
      added: job.added,
      duplicates: job.duplicates,
      failed: job.failed,
      failures: failuresSchema.parse(job.failures),
    };
    const startedAt = job.startedAt ?? new Date();
    if (!(await this.save(job, { status: 'running', total: source.length, startedAt }))) return;
    for (let isFirst = true; counts.processed < source.length; isFirst = false) {
      if (this.stopped) return;
      const batch = source.slice(counts.processed, counts.processed + BATCH);
      const failures = await this.takeBatch(batch, { ...job, startedAt }, counts, isFirst);
      counts.processed += batch.length;
      counts.failed += failures.length;
      counts.failures = [...counts.failures, ...failures].slice(0, MAX_FAILURES);
      if (!(await this.save(job, counts))) return;
    }
    if (!(await this.save(job, { status: 'done', finishedAt: new Date() }))) return;
    this.logger.log(
      `${path}: ${counts.added} images added, ${counts.duplicates} known, ${counts.failed} failed`,
    );
  }

  /** False when this service runs the job no more. */
  private async save(job: ImportJob, data: Parameters<ImportRepository['update']>[2]): Promise<boolean> {
    const isOurs = await this.patiently(() => this.jobs.update(job.id, this.runner, data));
    if (!isOurs) this.logger.log(`import ${job.id} was paused or cancelled, or another service took it over`);
    return isOurs;
  }

  /**
   * Takes a batch in, counts what was added and known, and returns the failures.
   * @param mayBeAgain whether the batch may have been taken in before without being counted
   */
  private async takeBatch(
    batch: readonly SourceItem[],
    { startedAt, ...job }: ImportJob & { startedAt: Date },
    counts: { added: number; duplicates: number; processed: number },
    mayBeAgain: boolean,
  ): Promise<ImportFailure[]> {
    const failures: ImportFailure[] = [];
    const images: IncomingImage[] = [];
    const files: string[] = [];
    for (const item of batch) {
      const { file } = item;
      try {
        if ('failure' in item) throw new Problem(item.code, item.failure);
        images.push(await this.load(item));
        files.push(file);
      } catch (error) {
        failures.push(describeFailure(file, error));
      }
    }
    const added: string[] = [];
    const name = `${job.id}:${startedAt.getTime()}:${counts.processed}`;
    const options = { batch: name, onDuplicate: job.onDuplicate };
    let mayBeIn = mayBeAgain;
    const outcomes = await this.patiently(async () => {
      const before = mayBeIn
        ? await this.images.addedBy(
            name,
            images.map(({ bytes }) => imageId(bytes)),
          )
        : undefined;
      mayBeIn = true;
      return { before, all: await this.images.ingest(images, options) };
    });
    const uncounted = outcomes.before ?? new Set<string>();
    for (const [index, outcome] of outcomes.all.entries()) {
      if (outcome instanceof Problem) failures.push(describeFailure(files[index]!, outcome));
      else if (outcome.status === 'created' || uncounted.delete(outcome.id)) {
        counts.added++;
        added.push(outcome.id);
      } else counts.duplicates++;
    }
    if (added.length > 0) {
      const audit = { action: 'import', job: job.id, outcome: 'done', ids: added };
      this.logger.log({ audit, msg: `import ${job.id}: ${added.length} images added` });
    }
    return failures;
  }

  private async load({ file, location, captions, tags }: SourceImage): Promise<IncomingImage> {
    const part = typeof location === 'string' ? undefined : location;
    const real = await realpath(typeof location === 'string' ? location : location.archive);
    const roots = await Promise.all(this.config.IMPORT_ROOT.map((root) => realpath(root).catch(() => root)));
    if (!roots.some((root) => isBelow(real, root))) {
      throw new Problem('import_forbidden', 'A link leads out of the folders that imports may read.');
    }
    const size = part?.size ?? (await stat(real)).size;
    if (size > this.config.MAX_IMAGE_BYTES) {
      throw new Problem('image_too_large', `The file has ${size} bytes.`);
    }
    const bytes =
      part === undefined
        ? await readFile(real)
        : Buffer.from(await readImageBytes({ ...part, archive: real }));
    return { bytes, fileName: basename(file), captions, tags };
  }
}

function describeFailure(file: string, error: unknown): ImportFailure {
  if (error instanceof Problem) return { file, code: error.code, detail: error.message };
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  return {
    file,
    code: 'import_unreadable',
    detail: missing ? 'The file is not there.' : 'The file cannot be read.',
  };
}

/**
 * Removes files without a row, which uploads leave behind that were killed between file and row, and their
 * unfinished temporary files. Runs in the background, at the start and then every few hours.
 *
 * 1. A file younger than an hour is left: an upload, here or in another process, may be about to write its row.
 * 2. Folder by folder, so that the work and the memory at any moment do not grow with the collection.
 * 3. Too many files without rows are no remains but a sign of lost rows: then nothing is removed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { ImageRepository } from './image.repository.js';
import { ImageService } from './image.service.js';
import type { StoredFile } from './file-store.js';

const HOUR = 3_600_000;
const INTERVAL = 6 * HOUR;
/** Pause between two folders, in milliseconds. */
const PAUSE = 20;
/** Ids in one query to the database. */
const QUESTION = 1000;
/** The most files that one sweep removes; the next one continues. */
const MOST_REMOVED = 10_000;
/** At most this many files without a row, or this fraction of all, are removed; more are suspicious. */
const FEW = 100;
const SMALL_SHARE = 0.1;

@Injectable()
export class OrphanSweepService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Sweep');
  private readonly stop = new AbortController();
  private work: Promise<void> = Promise.resolve();

  constructor(
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(ImageService) private readonly service: ImageService,
  ) {}

  onApplicationBootstrap(): void {
    this.work = this.run();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.work;
  }

  private async run(): Promise<void> {
    while (!this.stop.signal.aborted) {
      await this.sweep().catch((error: unknown) => {
        if (!this.stop.signal.aborted) this.logger.warn(`not finished: ${String(error)}`);
      });
      await delay(INTERVAL, undefined, { signal: this.stop.signal }).catch(() => undefined);
    }
  }

  private async sweep(): Promise<void> {
    const orphans: StoredFile[] = [];
    let seen = 0;
    for await (const folder of this.service.storedFiles()) {
      seen += folder.length;
      for (let start = 0; start < folder.length; start += QUESTION) {
        const part = folder.slice(start, start + QUESTION);
        const existing = await this.images.existing(part.map(({ id }) => id));
        orphans.push(
          ...(await this.service.oldFiles(
            part.filter(({ id }) => !existing.has(id)),
            HOUR,
          )),
        );
      }
      if (orphans.length > MOST_REMOVED) break;
      await delay(PAUSE, undefined, { signal: this.stop.signal });
    }
    if (orphans.length === 0) return;
    if (orphans.length > Math.max(FEW, seen * SMALL_SHARE) || (await this.images.count()) === 0) {
      this.logger.error(
        `${orphans.length} of ${seen} stored files have no row in the database. So many are left alone: ` +
          'rows may be lost. Restore the database, or import the folder again.',
      );
      return;
    }
    const removed = await this.service.removeOrphans(orphans, HOUR);
    this.logger.log(`${removed} files without a row were removed, left by uploads that were cut off`);
  }
}

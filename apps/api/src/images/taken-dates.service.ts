/**
 * Reads the date of taking of images that an earlier version stored without it. Once for each image, in the background
 * after the start; several services that share a database at worst read the same files.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import type { Taken } from '../image-file/exif-date.js';
import { takenOfStored } from '../image-file/image-format.js';
import { ImageRepository } from './image.repository.js';
import type { ImageRow } from './image.repository.js';
import { ImageService } from './image.service.js';
import { SEARCH_INDEX } from './search-index.js';
import type { SearchIndex } from './search-index.js';

/** Images that one change of the collection writes. */
const BATCH = 100;
/** Pause after each, in milliseconds. */
const PAUSE = 20;

@Injectable()
export class TakenDatesService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('TakenDates');
  private readonly stop = new AbortController();
  private work: Promise<void> = Promise.resolve();

  constructor(
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(ImageService) private readonly service: ImageService,
    @Inject(SEARCH_INDEX) private readonly index: SearchIndex,
  ) {}

  onApplicationBootstrap(): void {
    this.work = this.run().catch((error: unknown) => {
      if (!this.stop.signal.aborted) this.logger.warn(`continues at the next start: ${String(error)}`);
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await this.work;
  }

  private async run(): Promise<void> {
    for (;;) {
      const rows = await this.images.withoutDates(BATCH);
      if (rows.length === 0) return;
      const dates: { id: string; taken: Taken | null }[] = [];
      for (const row of rows) {
        if (this.stop.signal.aborted) return;
        dates.push({ id: row.id, taken: await this.read(row) });
      }
      await this.images.setDates(dates);
      await this.index.catchUp();
      await delay(PAUSE, undefined, { signal: this.stop.signal });
    }
  }

  /** A missing file has no date; restoring it is a new upload. */
  private async read(row: ImageRow): Promise<Taken | null> {
    const bytes = await this.service.read(row).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    });
    return bytes === undefined ? null : takenOfStored(bytes);
  }
}

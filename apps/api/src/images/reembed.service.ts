/**
 * After a change of the model: encodes again the images that another model encoded. Works in the background behind
 * requests and keeps its progress in the database, so that it resumes where it was interrupted. Until an image has been encoded again, search does not find it.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap } from '@nestjs/common';
import { EmbeddingService } from '../encoder/embedding.service.js';
import { Problem } from '../problems/problem.js';
import { ImageRepository } from './image.repository.js';
import type { ImageRow } from './image.repository.js';
import { ImageService } from './image.service.js';
import { SEARCH_INDEX } from './search-index.js';
import type { SearchIndex } from './search-index.js';

const BATCH = 32;

@Injectable()
export class ReembedService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Reembed');
  private stopped = false;
  private work: Promise<void> = Promise.resolve();
  /** Images that are still to be encoded again. */
  remaining = 0;

  constructor(
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(ImageService) private readonly files: ImageService,
    @Inject(EmbeddingService) private readonly embeddings: EmbeddingService,
    @Inject(SEARCH_INDEX) private readonly index: SearchIndex,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.remaining = await this.images.countForeign(this.embeddings.model.hash);
    if (this.remaining === 0) return;
    this.logger.log(`${this.remaining} images were encoded by another model and are encoded again`);
    this.work = this.run().catch((error: unknown) => {
      this.logger.error(error instanceof Error ? error.stack : String(error));
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  private async run(): Promise<void> {
    let afterKey = -1;
    while (!this.stopped) {
      const rows = await this.images.findForeign(this.embeddings.model.hash, afterKey, BATCH);
      const last = rows.at(-1);
      if (last === undefined) break;
      afterKey = last.key;
      await this.reembed(rows);
    }
    if (!this.stopped) this.logger.log('all images are encoded by the current model');
  }

  private async reembed(rows: readonly ImageRow[]): Promise<void> {
    const present: { row: ImageRow; bytes: Buffer }[] = [];
    for (const row of rows) {
      try {
        present.push({ row, bytes: await this.files.read(row) });
      } catch {
        this.logger.warn(`the file of image ${row.id} cannot be read; search will not find it`);
      }
    }
    const results = await this.embeddings.images(
      present.map(({ row, bytes }) => ({ bytes, pixels: row.width * row.height })),
    );
    const updates = present.flatMap(({ row }, index) => {
      const embedding = results[index]!;
      return embedding instanceof Problem ? [] : [{ id: row.id, embedding }];
    });
    if (updates.length > 0) {
      await this.images.replaceEmbeddings(updates, this.embeddings.model.hash);
      await this.index.catchUp();
    }
    this.remaining -= updates.length;
  }
}

/** The images of the collection as they are: listed, changed, sent, removed. How they come in: image-intake.ts. */
import { Inject, Injectable } from '@nestjs/common';
import { CollectionLock } from './collection-lock.js';
import { StrippedFiles, type StrippedFile } from './stripped-files.js';
import { FileStore, isImageId } from './file-store.js';
import type { StoredFile } from './file-store.js';
import { ImageRepository } from './image.repository.js';
import type { ImageRow } from './image.repository.js';
import type { ImageChange, ImageList, ImageView, ListQuery } from './image.schema.js';
import { cursorAfter } from './list-order.js';
import { notFound, orFileGone, toView } from './image.view.js';
import type { Config } from '../config/config.js';
import { Problem } from '../problems/problem.js';
import { CONFIG } from '../providers.js';
import { SEARCH_INDEX } from './search-index.js';
import type { SearchIndex } from './search-index.js';

@Injectable()
export class ImageService {
  private readonly stripped: StrippedFiles;

  constructor(
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(CollectionLock) private readonly lock: CollectionLock,
    @Inject(ImageRepository) private readonly images: ImageRepository,
    @Inject(SEARCH_INDEX) private readonly index: SearchIndex,
    @Inject(CONFIG) private readonly config: Config,
  ) {
    this.stripped = new StrippedFiles(this.files);
  }

  async list(query: ListQuery): Promise<Omit<ImageList, 'limit' | 'offset'>> {
    const { rows, total } = await this.images.list(query);
    const last = rows.at(-1);
    const nextCursor =
      last === undefined || rows.length < query.limit ? null : cursorAfter(last, query.order);
    return { items: rows.map((row) => this.view(row)), total, nextCursor };
  }

  /** Changes captions and tags, if the image still has the revision, when one is given. */
  async change(id: string, data: ImageChange, revision?: number): Promise<ImageView> {
    const result = isImageId(id) ? await this.images.change(id, data, revision) : null;
    if (result === null) throw notFound(id);
    const { row, changed } = result;
    if (!changed) {
      throw new Problem(
        'precondition_failed',
        `The image has the revision ${row.revision}, not ${revision}: it was changed meanwhile. Read it again.`,
      );
    }
    await this.index.catchUp();
    return this.view(row);
  }

  async get(id: string): Promise<ImageView> {
    return this.view(await this.row(id));
  }

  /** Path and media type of the original file. */
  async file(id: string): Promise<{ path: string; mediaType: string; fileName: string | null }> {
    const { mediaType, fileName } = await this.row(id);
    return { path: this.files.path(id, mediaType), mediaType, fileName };
  }

  /** The file as it is served to everybody: without GPS, camera data and the like. */
  async strippedFile(id: string): Promise<StrippedFile & { fileName: string | null }> {
    const { mediaType, fileName } = await this.row(id);
    const file = await orFileGone(this.stripped.get(id, mediaType));
    return { ...file, fileName: file.mediaType === mediaType ? fileName : fileName && `${fileName}.png` };
  }

  /** Path of the WebP thumbnail. */
  async thumbnail(id: string): Promise<string> {
    const { mediaType, width, height } = await this.row(id);
    return orFileGone(this.files.thumbnail(id, mediaType, { width, height }));
  }

  /** Bytes of the original file of a row. */
  read(row: ImageRow): Promise<Buffer> {
    return this.files.read(row.id, row.mediaType);
  }

  /** Stored files, a folder at a time. */
  storedFiles(): AsyncGenerator<StoredFile[]> {
    return this.files.stored();
  }

  /** Those of the files that were neither written nor renewed for `age` milliseconds. */
  async oldFiles(files: readonly StoredFile[], age: number): Promise<StoredFile[]> {
    const old: StoredFile[] = [];
    for (const file of files) if (await this.files.isOld(file.path, age)) old.push(file);
    return old;
  }

  /** Removes those of the files that have no row and are still older than `age`; returns how many. */
  async removeOrphans(orphans: readonly StoredFile[], age: number): Promise<number> {
    let removed = 0;
    for (const { id, path } of orphans) {
      await this.lock.background(async () => {
        if ((await this.images.existing([id])).has(id)) return;
        if (await this.files.removeOld(path, age)) removed++;
      });
    }
    return removed;
  }

  async remove(id: string): Promise<void> {
    await this.lock.run(async () => {
      const row = isImageId(id) ? await this.images.remove(id) : null;
      if (row === null) throw notFound(id);
      await this.files.remove(id, row.mediaType);
      this.stripped.forget(id);
    });
    await this.index.catchUp();
  }

  private view(row: ImageRow): ImageView {
    return toView(row, this.config.BASE_PATH);
  }

  private async row(id: string): Promise<ImageRow> {
    const row = isImageId(id) ? await this.images.find(id) : null;
    if (row === null) throw notFound(id);
    return row;
  }
}

/**
 * Stored files without metadata, as they are served. Which parts of a file those are is found at the first request and
 * remembered; a file that is not built as its format says is encoded again once, since only its pixels are safe.
 */
import { readFile } from 'node:fs/promises';
import { imageFormat } from '@clip-ts/clip';
import { Semaphore } from 'async-mutex';
import { LRUCache } from 'lru-cache';
import sharp from 'sharp';
import { isWhole, strippedParts } from '../image-file/strip/strip-metadata.js';
import { encodedType } from './file-store.js';
import type { FileStore } from './file-store.js';
import type { ServedFile } from './served-file.js';

/** Files that are held in memory at once to be looked at. */
const READERS = 2;
/** Files whose parts are remembered. */
const REMEMBERED = 10_000;

/** A file to serve; `tag` tells it from the stored one, and its media type may be another. */
export interface StrippedFile extends ServedFile {
  tag: string;
  mediaType: string;
}

export class StrippedFiles {
  private readonly readers = new Semaphore(READERS);
  private readonly known = new LRUCache<string, StrippedFile>({ max: REMEMBERED });

  constructor(private readonly files: FileStore) {}

  /** The parts of an image's file to serve. Throws ENOENT when the file is gone. */
  async get(id: string, mediaType: string): Promise<StrippedFile> {
    const known = this.known.get(id);
    if (known !== undefined) return known;
    const file = await this.readers.runExclusive(() => this.inspect(id, mediaType));
    this.known.set(id, file);
    return file;
  }

  forget(id: string): void {
    this.known.delete(id);
  }

  private async inspect(id: string, mediaType: string): Promise<StrippedFile> {
    const path = this.files.path(id, mediaType);
    const bytes = await readFile(path);
    const format = imageFormat(bytes);
    const parts = format && strippedParts(bytes, format, await orientationOf(bytes));
    if (parts !== undefined)
      return { path, parts, mediaType, tag: isWhole(parts, bytes.length) ? id : `${id}-stripped` };
    const encoded = await this.files.reencoded(id, mediaType, bytes);
    const whole = [{ start: 0, end: encoded.size }];
    return { path: encoded.path, parts: whole, mediaType: encodedType(mediaType), tag: `${id}-encoded` };
  }
}

/** Exif orientation, 1 to 8; 1 when there is none. */
async function orientationOf(bytes: Buffer): Promise<number> {
  const { orientation } = await sharp(bytes, { limitInputPixels: false }).metadata();
  return orientation ?? 1;
}

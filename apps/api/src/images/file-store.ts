/**
 * Image files on disk under DATA_DIR, named by the SHA-256 of their bytes, and their thumbnails.
 * A path is made only of a checked hash and a known extension, so no request can name another file.
 */
import { createHash } from 'node:crypto';
import { access, readFile, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '@clip-ts/clip/files';
import sharp from 'sharp';
import { DecodeBudget } from '../encoder/decode-budget.js';
import { mostMemory } from '../image-file/decode-memory.js';
import { extensionOf } from '../image-file/image-format.js';

/** Longer side of a thumbnail, in pixels. */
const THUMBNAIL_SIZE = 320;
/** A thumbnail that takes longer is given up, in seconds. */
const THUMBNAIL_TIMEOUT = 30;
const ID = /^[0-9a-f]{64}$/;

/** The id of an image: SHA-256 of its file, in hexadecimal. */
export function imageId(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** True when `id` has the form of an image's id. */
export function isImageId(id: string): boolean {
  return ID.test(id);
}

/** Names of stored files: images and thumbnails. */
const FILE_NAME = /^[0-9a-f]{64}\.[a-z]{3,4}$/;
const USED_MARK = '.in-use';
const USED_TEXT =
  'Images were stored here. Their rows are in the database that was beside this folder then.\n';

/** What an atomic write leaves behind that was killed (`writeFileAtomic`). */
const UNFINISHED_NAME = /^\.[0-9a-f]{64}\.[a-z]{3,4}\.\d+-[0-9a-f]+\.tmp$/;
const UNFINISHED_AGE = 3_600_000;

/** A file of an image: the picture or its thumbnail. */
export interface StoredFile {
  id: string;
  path: string;
}

export class FileStore {
  private marked = false;

  /** @param root DATA_DIR @param memory for what is decoded */
  constructor(
    private readonly root: string,
    private readonly memory = new DecodeBudget(0),
  ) {}

  /** Path of an image's file, whether it is there or not. */
  path(id: string, mediaType: string): string {
    return this.locate('images', id, extensionOf(mediaType));
  }

  /**
   * Stores an image's bytes and returns whether they were missing. A whole file of that id holds the same bytes
   * and stays; its time is renewed, so that the sweep of another process leaves it until its row is there.
   */
  async put(id: string, mediaType: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.path(id, mediaType);
    const found = await stat(path).catch(ignoreAbsent);
    if (found?.size === bytes.length) {
      const now = new Date();
      await utimes(path, now, now);
      return false;
    }
    await writeFileAtomic(path, bytes);
    return true;
  }

  /** Notes that images were stored here: an empty database beside them is then a lost one. */
  async markUsed(): Promise<void> {
    if (this.marked) return;
    const path = join(this.root, 'images', USED_MARK);
    if (!(await exists(path))) await writeFileAtomic(path, USED_TEXT);
    this.marked = true;
  }

  /** What the folder shows of earlier use: the mark, and the number of files, counted up to `limit`. */
  async traces(limit: number): Promise<{ marked: boolean; files: number }> {
    const folder = join(this.root, 'images');
    let files = 0;
    for (const shard of await shards(folder)) {
      files += (await readdir(shard)).filter((name) => FILE_NAME.test(name)).length;
      if (files >= limit) break;
    }
    return { marked: await exists(join(folder, USED_MARK)), files };
  }

  /** Stored files, their thumbnails and versions encoded again, a folder at a time. Unfinished writes that are old are removed on the way. */
  async *stored(): AsyncGenerator<StoredFile[]> {
    for (const kind of ['images', 'thumbnails', 'reencoded']) {
      for (const shard of await shards(join(this.root, kind))) {
        const names = await readdir(shard);
        for (const name of names) {
          if (UNFINISHED_NAME.test(name)) await this.removeOld(join(shard, name), UNFINISHED_AGE);
        }
        yield names
          .filter((name) => FILE_NAME.test(name))
          .map((name) => ({ id: name.slice(0, 64), path: join(shard, name) }));
      }
    }
  }

  /** Whether a file is there and was neither written nor renewed for `age` milliseconds. */
  async isOld(path: string, age: number): Promise<boolean> {
    const found = await stat(path).catch(ignoreAbsent);
    return found !== undefined && Date.now() - found.mtimeMs >= age;
  }

  /** Removes a file if it {@link isOld}. Returns whether it was. */
  async removeOld(path: string, age: number): Promise<boolean> {
    if (!(await this.isOld(path, age))) return false;
    await rm(path, { force: true });
    return true;
  }

  read(id: string, mediaType: string): Promise<Buffer> {
    return readFile(this.path(id, mediaType));
  }

  /** Removes an image's file and thumbnail; absent ones are no error. */
  async remove(id: string, mediaType: string): Promise<void> {
    await rm(this.path(id, mediaType), { force: true });
    await rm(this.thumbnailPath(id), { force: true });
    await rm(this.locate('reencoded', id, extensionOf(encodedType(mediaType))), { force: true });
  }

  /** Path of the WebP thumbnail, made when it is not there yet. */
  async thumbnail(
    id: string,
    mediaType: string,
    { width, height }: { width: number; height: number },
  ): Promise<string> {
    const path = this.thumbnailPath(id);
    if (await exists(path)) return path;
    // The header would say less, but reading it here would hold the files of all who wait in line.
    // The cost of these formats does not follow from their pixels: they get the whole budget.
    const isOptional = encodedType(mediaType) !== mediaType;
    await this.memory.run(isOptional ? this.memory.total : mostMemory(width, height), async () => {
      // A request that waited for the same one finds it made.
      if (!(await exists(path))) await this.makeThumbnail(path, id, mediaType);
    });
    return path;
  }

  private async makeThumbnail(path: string, id: string, mediaType: string): Promise<void> {
    // Its pixels were counted when it was taken in; sharp's own limit is lower than MAX_IMAGE_PIXELS may be.
    const image = sharp(await this.read(id, mediaType), { failOn: 'error', limitInputPixels: false })
      .timeout({ seconds: THUMBNAIL_TIMEOUT })
      .autoOrient()
      .resize(THUMBNAIL_SIZE, THUMBNAIL_SIZE, { fit: 'inside', withoutEnlargement: true });
    await writeFileAtomic(path, await image.webp({ quality: 80 }).toBuffer());
  }

  /** Path and size of a file with the pixels of `bytes` (the first frame) and nothing else, made when it is not there yet. */
  async reencoded(id: string, mediaType: string, bytes: Uint8Array): Promise<{ path: string; size: number }> {
    const type = encodedType(mediaType);
    const path = this.locate('reencoded', id, extensionOf(type));
    // All of the budget: this is rare, and what such a file holds is not known.
    await this.memory.run(this.memory.total, async () => {
      if (await exists(path)) return;
      const image = sharp(bytes, { failOn: 'error', limitInputPixels: false }).autoOrient().keepIccProfile();
      const format = type.replace('image/', '') as 'jpeg' | 'png' | 'webp' | 'gif';
      // For PNG, sharp takes a quality to ask for a palette. Someone is waiting, so the fastest compression is used.
      const options = format === 'png' ? { compressionLevel: 2 } : { quality: 95 };
      await writeFileAtomic(path, await image.toFormat(format, options).toBuffer());
    });
    return { path, size: (await stat(path)).size };
  }

  private thumbnailPath(id: string): string {
    return this.locate('thumbnails', id, 'webp');
  }

  private locate(kind: 'images' | 'thumbnails' | 'reencoded', id: string, extension: string): string {
    if (!isImageId(id)) throw new Error('not an image id');
    return join(this.root, kind, id.slice(0, 2), `${id}.${extension}`);
  }
}

/** The media type in which an image is encoded again: AVIF and TIFF as PNG, without loss and for every browser. */
export const encodedType = (mediaType: string): string =>
  ['image/avif', 'image/tiff'].includes(mediaType) ? 'image/png' : mediaType;

/** The folders in which files lie, by the first two digits of their ids; none when `folder` is absent. */
async function shards(folder: string): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true }).catch(ignoreAbsent)) ?? [];
  return entries
    .filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))
    .map(({ name }) => join(folder, name))
    .sort();
}

function ignoreAbsent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Image files on disk under DATA_DIR, named by the SHA-256 of their bytes, and their thumbnails.
 * A path is made only of a checked hash and a known extension, so no request can name another file.
 */
import { createHash } from 'node:crypto';
import { access, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '@clip-ts/clip';
import sharp from 'sharp';
import { extensionOf } from '../image-file/image-format.js';

/** Longer side of a thumbnail, in pixels. */
const THUMBNAIL_SIZE = 320;
const ID = /^[0-9a-f]{64}$/;

/** The id of an image: SHA-256 of its file, in hexadecimal. */
export function imageId(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** True when `id` has the form of an image's id. */
export function isImageId(id: string): boolean {
  return ID.test(id);
}

export class FileStore {
  constructor(private readonly root: string) {}

  /** Path of an image's file, whether it is there or not. */
  path(id: string, mediaType: string): string {
    return this.locate('images', id, extensionOf(mediaType));
  }

  /** Stores an image's bytes; an existing file of that id stays as it is, since it holds the same bytes. */
  async put(id: string, mediaType: string, bytes: Uint8Array): Promise<void> {
    const path = this.path(id, mediaType);
    if (!(await exists(path))) await writeFileAtomic(path, bytes);
  }

  read(id: string, mediaType: string): Promise<Buffer> {
    return readFile(this.path(id, mediaType));
  }

  /** Removes an image's file and thumbnail; absent ones are no error. */
  async remove(id: string, mediaType: string): Promise<void> {
    await rm(this.path(id, mediaType), { force: true });
    await rm(this.thumbnailPath(id), { force: true });
  }

  /** Path of the WebP thumbnail, made when it is not there yet. */
  async thumbnail(id: string, mediaType: string): Promise<string> {
    const path = this.thumbnailPath(id);
    if (await exists(path)) return path;
    const image = sharp(await this.read(id, mediaType), { failOn: 'error' })
      .autoOrient()
      .resize(THUMBNAIL_SIZE, THUMBNAIL_SIZE, { fit: 'inside', withoutEnlargement: true });
    await writeFileAtomic(path, await image.webp({ quality: 80 }).toBuffer());
    return path;
  }

  private thumbnailPath(id: string): string {
    return this.locate('thumbnails', id, 'webp');
  }

  private locate(kind: 'images' | 'thumbnails', id: string, extension: string): string {
    if (!isImageId(id)) throw new Error('not an image id');
    return join(this.root, kind, id.slice(0, 2), `${id}.${extension}`);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

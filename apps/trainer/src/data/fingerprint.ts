/** One hash of a split's content: which images, how large their files are, and their captions. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import pMap from 'p-map';
import type { CocoImage } from './read-coco.js';

const FILES_AT_A_TIME = 64;

/**
 * 64 hexadecimal digits. Files are known by name and size: reading all of them would take as long as an epoch. Where
 * the dataset lies does not matter.
 */
export async function fingerprint(images: readonly CocoImage[]): Promise<string> {
  const sizes = await pMap(images, async ({ file }) => (await stat(file)).size, {
    concurrency: FILES_AT_A_TIME,
  });
  const hash = createHash('sha256');
  images.forEach(({ id, file, captions }, n) => {
    hash.update(`${JSON.stringify([id, path.basename(file), sizes[n], captions])}\n`);
  });
  return hash.digest('hex');
}

/** One hash of a split's content: which images, how large their files are, and their captions. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { DatasetImage } from '@clip-ts/clip/data';
import pMap from 'p-map';

const FILES_AT_A_TIME = 64;

/** Bytes of each image's file. */
export const imageSizes = (images: readonly DatasetImage[]): Promise<number[]> =>
  pMap(
    images,
    async ({ location }) => (typeof location === 'string' ? (await stat(location)).size : location.size),
    { concurrency: FILES_AT_A_TIME },
  );

/**
 * 64 hexadecimal digits. Files are known by name and size: reading all of them would take as long as an epoch. Where
 * the dataset lies does not matter.
 * @param sizes of the images' files
 */
export function fingerprint(images: readonly DatasetImage[], sizes: readonly number[]): string {
  const hash = createHash('sha256');
  images.forEach(({ name, captions }, n) => {
    hash.update(`${JSON.stringify([name, sizes[n], captions])}\n`);
  });
  return hash.digest('hex');
}

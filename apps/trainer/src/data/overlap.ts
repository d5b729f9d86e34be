/** Images that two splits share: what is validated on should not be trained on. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { DatasetImage, ImageLocation } from '@clip-ts/clip/data';
import pMap from 'p-map';

/** Bytes at the end of a file that tell it from others of its size: compressed pixels, where headers are alike. */
const TAIL = 4096;
const FILES_AT_A_TIME = 64;

interface SizedImages {
  images: readonly DatasetImage[];
  /** Bytes of each image's file. */
  sizes: readonly number[];
}

/** Names of the validation images whose file is also, under whatever name, a training image's. */
export async function sharedImages(training: SizedImages, validation: SizedImages): Promise<string[]> {
  const trained = new Set((await tails(training, new Set(validation.sizes))).map(({ hash }) => hash));
  const suspects = await tails(validation, new Set(training.sizes));
  return suspects.filter(({ hash }) => trained.has(hash)).map(({ name }) => name);
}

/** Of the images whose files have one of some sizes: a hash of size and last bytes. */
async function tails(
  { images, sizes }: SizedImages,
  among: ReadonlySet<number>,
): Promise<{ name: string; hash: string }[]> {
  const candidates = images.flatMap(({ name, location }, n) =>
    among.has(sizes[n]!) ? [{ name, location, size: sizes[n]! }] : [],
  );
  return pMap(candidates, async ({ name, location, size }) => ({ name, hash: await tail(location, size) }), {
    concurrency: FILES_AT_A_TIME,
  });
}

async function tail(location: ImageLocation, size: number): Promise<string> {
  const { archive, offset } = typeof location === 'string' ? { archive: location, offset: 0 } : location;
  const length = Math.min(size, TAIL);
  const handle = await open(archive);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset + size - length);
    return createHash('sha256').update(`${size}\n`).update(buffer.subarray(0, bytesRead)).digest('hex');
  } finally {
    await handle.close();
  }
}

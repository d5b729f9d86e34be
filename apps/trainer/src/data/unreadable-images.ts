/**
 * `--verify`: every image of a split is decoded once before training, so that all unreadable ones are found in one
 * pass. They are kept by name in the run's folder, and left out of it from then on.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { decodeImage } from '@clip-ts/clip';
import { writeFileAtomic } from '@clip-ts/clip/files';
import { readImageBytes, type DatasetImage } from '@clip-ts/clip/data';
import pMap from 'p-map';
import { z } from 'zod';
import { duration } from '../logging/lines.js';
import { type ProgressPrinter } from '../logging/progress.js';

const listSchema = z.record(
  z.string(),
  z.object({
    /** Of the split with all its images. */
    fingerprint: z.string(),
    images: z.array(z.object({ name: z.string(), reason: z.string() })),
  }),
);
/** By split. */
type Lists = z.infer<typeof listSchema>;
export type UnreadableImage = Lists[string]['images'][number];

export const unreadableFile = (output: string) => path.join(output, 'unreadable.json');

/** What an earlier run in this folder found for a split of the same content; undefined when none has looked. */
export async function knownUnreadable(
  output: string,
  split: string,
  fingerprint: string,
): Promise<UnreadableImage[] | undefined> {
  const list = (await readLists(output))[split];
  return list?.fingerprint === fingerprint ? list.images : undefined;
}

export async function keepUnreadable(
  output: string,
  split: string,
  fingerprint: string,
  images: UnreadableImage[],
): Promise<void> {
  const lists = { ...(await readLists(output)), [split]: { fingerprint, images } };
  await writeFileAtomic(unreadableFile(output), `${JSON.stringify(lists, null, 2)}\n`);
}

async function readLists(output: string): Promise<Lists> {
  try {
    return listSchema.parse(JSON.parse(await readFile(unreadableFile(output), 'utf8')));
  } catch {
    // Absent or not ours: nothing is known.
    return {};
  }
}

/**
 * Decodes all images. @param workers images decoded at a time
 * @returns those that cannot be decoded, in the order of the split
 */
export async function findUnreadable(
  split: string,
  images: readonly DatasetImage[],
  workers: number,
  printer: ProgressPrinter,
): Promise<UnreadableImage[]> {
  const started = performance.now();
  let [done, bad] = [0, 0];
  const reasons = await pMap(
    images,
    async (image) => {
      const reason = await whyUnreadable(image);
      done++;
      if (reason !== undefined) bad++;
      const rate = done / ((performance.now() - started) / 1000);
      printer.update(
        `${split}: verified ${done} of ${images.length} images, ${bad} unreadable  ${rate.toFixed(0)} images/s  ` +
          `${duration((images.length - done) / rate)} left`,
        done === images.length,
      );
      return reason;
    },
    { concurrency: workers },
  );
  return images.flatMap(({ name }, n) => (reasons[n] === undefined ? [] : [{ name, reason: reasons[n] }]));
}

async function whyUnreadable({ location }: DatasetImage): Promise<string | undefined> {
  try {
    await decodeImage(await readImageBytes(location));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * A thread of the image pipeline: takes images of a batch, one after the other, until none is left, then those of the next
 * batch that was asked for. Which thread takes which image is decided by a counter in shared memory, and makes no
 * difference to the result.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ImageReader, type ImageLocation } from '@clip-ts/clip/data';
import { ClipError, ImageProcessor, type RgbImage } from '@clip-ts/clip/preprocess';
import sharp from 'sharp';
import {
  COUNTERS,
  type BatchMessage,
  type BatchReply,
  type CacheReply,
  type ImageFailure,
  type ImageWorkerData,
} from './batch-message.js';
import { kept, readImage, writePixelValues, type ImageTask } from './image-task.js';
import { ResizedImages } from './resized-images.js';
import { ImageCache } from './shared-cache.js';

const { processorConfig, cache: shared, resized } = workerData as ImageWorkerData;
const processor = new ImageProcessor(processorConfig);
const { height, width } = processor;

interface Reader {
  files: ImageReader;
  resized: ResizedImages;
}

/** What works on an image at a time: one is read, or decoded by libvips, while another is resized. */
const READERS = Array.from({ length: 2 }, (): Reader => ({
  files: new ImageReader(),
  resized: new ResizedImages(resized, height, width),
}));
/** Until the disk fails, or takes no more. */
let usesDisk = true;
const cache = new ImageCache(shared);
const size = 3 * height * width;
// The threads are the parallelism; libvips' own would only wait for each other.
sharp.concurrency(1);
sharp.cache(false);

/** Batches in the order in which they came; all but the first wait. */
let previous = Promise.resolve();
parentPort!.on('message', (message: BatchMessage) => {
  previous = previous.then(async () => {
    cache.chunks = message.chunks;
    await Promise.all(READERS.map((reader) => takeTasks(reader, message)));
  });
});

async function takeTasks(
  reader: Reader,
  { batch, tasks, keep, pixelValues, counters }: BatchMessage,
): Promise<void> {
  const counts = new Int32Array(counters);
  const out = new Float32Array(pixelValues);
  for (;;) {
    const n = Atomics.add(counts, COUNTERS.next, 1);
    if (n >= tasks.length) return;
    try {
      await show(reader, tasks[n]!, keep, out, n * size);
    } catch (error) {
      Atomics.add(counts, COUNTERS.failed, 1);
      reply({ batch, task: n, ...describe(error) });
    }
    if (Atomics.add(counts, COUNTERS.done, 1) === tasks.length - 1) reply({ batch, done: true });
  }
}

async function show(
  reader: Reader,
  { image, location, view }: ImageTask,
  keep: boolean,
  out: Float32Array<ArrayBufferLike>,
  offset: number,
): Promise<void> {
  const slot = 2 * image + (view === null ? 0 : 1);
  const known = cache.get(slot);
  if (known !== undefined) {
    writePixelValues(known, view, processor, out, offset);
    return;
  }
  const stored = view === null ? await fromDisk(reader, image, location) : undefined;
  if (stored !== undefined) {
    if (keep) cache.put(slot, stored);
    writePixelValues(stored, view, processor, out, offset);
    return;
  }
  await processor.withDecoded(await readImage(reader.files, location), (decoded) => {
    const shown = kept(decoded, view, processor);
    if (keep) cache.put(slot, shown);
    if (view === null) putOnDisk(reader, image, location, shown.data);
    writePixelValues(shown, view, processor, out, offset);
  });
}

async function fromDisk(
  { resized }: Reader,
  image: number,
  location: ImageLocation,
): Promise<RgbImage | undefined> {
  if (!usesDisk) return undefined;
  try {
    return await resized.get(image, location);
  } catch (error) {
    leaveDisk(error);
    return undefined;
  }
}

function putOnDisk({ resized }: Reader, image: number, location: ImageLocation, pixels: Uint8Array): void {
  if (!usesDisk) return;
  try {
    resized.put(image, location, pixels);
  } catch (error) {
    leaveDisk(error);
  }
}

/** A disk that is full or gone costs time, not the run. */
function leaveDisk(error: unknown): void {
  if (!usesDisk) return;
  usesDisk = false;
  reply({ cacheFailure: error instanceof Error ? error.message : String(error) });
}

function describe(error: unknown): Omit<ImageFailure, 'task'> {
  if (error instanceof ClipError) return { code: error.code, message: error.message };
  return { message: error instanceof Error ? error.message : String(error) };
}

function reply(message: BatchReply | CacheReply): void {
  parentPort!.postMessage(message);
}

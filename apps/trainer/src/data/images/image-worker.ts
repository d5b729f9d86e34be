/**
 * A thread of the image pipeline: takes images of a batch, one after the other, until none is left, then those of the next
 * batch that was asked for. Which thread takes which image is decided by a counter in shared memory, and makes no
 * difference to the result.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ImageReader } from '@clip-ts/clip/data';
import { ClipError, ImageProcessor } from '@clip-ts/clip/preprocess';
import sharp from 'sharp';
import {
  COUNTERS,
  type BatchMessage,
  type BatchReply,
  type ImageFailure,
  type ImageWorkerData,
} from './batch-message.js';
import { kept, readImage, writePixelValues, type ImageTask } from './image-task.js';
import { ImageCache } from './shared-cache.js';

/** What works on an image at a time: one is read, or decoded by libvips, while another is resized. */
const READERS = [new ImageReader(), new ImageReader()];

const { processorConfig, cache: shared } = workerData as ImageWorkerData;
const processor = new ImageProcessor(processorConfig);
const cache = new ImageCache(shared);
const size = 3 * processor.height * processor.width;
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
  reader: ImageReader,
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
  reader: ImageReader,
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
  await processor.withDecoded(await readImage(reader, location), (decoded) => {
    const shown = kept(decoded, view, processor);
    if (keep) cache.put(slot, shown);
    writePixelValues(shown, view, processor, out, offset);
  });
}

function describe(error: unknown): Omit<ImageFailure, 'task'> {
  if (error instanceof ClipError) return { code: error.code, message: error.message };
  return { message: error instanceof Error ? error.message : String(error) };
}

function reply(message: BatchReply): void {
  parentPort!.postMessage(message);
}

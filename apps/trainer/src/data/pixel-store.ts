/**
 * The decoded and resized images of a split, as bytes [H, W, 3]: all in memory when they fit the limit, else decoded
 * when asked for. Normalisation comes later, after augmentation.
 */
import { readImageBytes, type ImageLocation } from '@clip-ts/clip/data';
import pMap from 'p-map';
import { InputError } from '../errors.js';

/** The part of an image processor that the trainer uses. */
export interface PixelProcessor {
  /** Bytes [H, W, 3] of a file, resized and cropped, before rescaling and normalising. */
  resizedPixels(image: string | Uint8Array): Promise<Uint8Array>;
  /** [H, W, 3] bytes → [3, H, W] floats at `offset` of `out`. */
  normalize(pixels: Uint8Array, out?: Float32Array, offset?: number): Float32Array;
}

export interface PixelStore {
  /** Number of images N. */
  count: number;
  height: number;
  width: number;
  /** Pixels of some images, in order; not to be written to. */
  load(indices: ArrayLike<number>): Promise<Uint8Array[]>;
}

export interface PixelStoreOptions {
  files: readonly ImageLocation[];
  processor: PixelProcessor;
  height: number;
  width: number;
  /** Bytes that may be kept in memory. */
  memoryLimit: number;
  /** Images decoded at a time. */
  workers: number;
  onProgress: (done: number, total: number) => void;
}

/** Decodes all images now if they fit. @throws ClipError IMAGE_UNREADABLE naming a file, now or on `load` */
export async function openPixelStore(
  options: PixelStoreOptions,
): Promise<PixelStore & { inMemory: boolean }> {
  const { files, processor, height, width, workers } = options;
  const size = height * width * 3;
  const shared = { count: files.length, height, width };
  if (files.length * size > options.memoryLimit) {
    const load = (indices: ArrayLike<number>) =>
      pMap(Array.from(indices), (index) => resized(files[index]!, processor), { concurrency: workers });
    return { ...shared, inMemory: false, load };
  }
  const pixels = new Uint8Array(files.length * size);
  let done = 0;
  const decode = async (file: ImageLocation, index: number) => {
    pixels.set(await resized(file, processor), index * size);
    options.onProgress(++done, files.length);
  };
  await pMap(files, decode, { concurrency: workers });
  const load = async (indices: ArrayLike<number>) =>
    Array.from(indices, (index) => pixels.subarray(index * size, (index + 1) * size));
  return { ...shared, inMemory: true, load };
}

/** Errors of a file name it; those of an archive's member name the archive. */
async function resized(location: ImageLocation, processor: PixelProcessor): Promise<Uint8Array> {
  if (typeof location === 'string') return processor.resizedPixels(location);
  try {
    return await processor.resizedPixels(await readImageBytes(location));
  } catch (cause) {
    const { archive, offset } = location;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${archive}, image at byte ${offset}: ${reason}`);
  }
}

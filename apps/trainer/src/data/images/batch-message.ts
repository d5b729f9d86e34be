/** What the pipeline and its threads tell each other. B images of a batch, H × W pixels. */
import type { ClipErrorCode } from '@clip-ts/clip/preprocess';
import type { ImageTask } from './image-task.js';
import type { ResizedSplit } from './resized-images.js';
import type { SharedImages } from './shared-cache.js';

export interface ImageWorkerData {
  /** Content of preprocessor_config.json. */
  processorConfig: unknown;
  cache: SharedImages;
  /** Resized images on disk. */
  resized: readonly ResizedSplit[];
}

/** A batch, sent to every thread that works on it. */
export interface BatchMessage {
  batch: number;
  tasks: readonly ImageTask[];
  /** Whether decoded images are put into the cache, where they will be wanted again. */
  keep: boolean;
  /** pixel_values [B, 3, H, W], float32. */
  pixelValues: SharedArrayBuffer;
  /** Int32: see {@link COUNTERS}. */
  counters: SharedArrayBuffer;
  /** Of the cache, so far. */
  chunks: SharedArrayBuffer[];
}

/** Of a batch: the next task to take, how many are done, how many of those failed. */
export const COUNTERS = { next: 0, done: 1, failed: 2 } as const;

/** Sent by the thread that finishes a batch's last image, and by one that meets an image that cannot be shown. */
export type BatchReply = { batch: number } & ({ done: true } | ImageFailure);

/** Sent once by a thread that keeps no more resized images on disk. */
export interface CacheReply {
  cacheFailure: string;
}

/** Why an image of a batch cannot be shown. */
export interface ImageFailure {
  /** Its place in the batch. */
  task: number;
  /** That of the ClipError; absent for other errors. */
  code?: ClipErrorCode;
  message: string;
}

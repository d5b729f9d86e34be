/**
 * pixel_values of batches, made ahead of time by threads of their own: reading, decoding, cropping, resizing and
 * normalising go on while a step runs, also while it blocks this thread, since the threads share a batch among themselves.
 * The result depends on what is asked for alone, not on the number of threads.
 *
 * B images of a batch, H × W pixels.
 */
import { Worker } from 'node:worker_threads';
import { ClipError } from '@clip-ts/clip/preprocess';
import type { HostTensor } from '@clip-ts/clip/model';
import { float32 } from '@clip-ts/clip/train';
import { TrainingError } from '../../errors.js';
import {
  COUNTERS,
  type BatchMessage,
  type BatchReply,
  type CacheReply,
  type ImageFailure,
  type ImageWorkerData,
} from './batch-message.js';
import { describeLocation, type ImageTask } from './image-task.js';
import type { ResizedSplit } from './resized-images.js';
import { addRoom, shareImages, type SharedImages } from './shared-cache.js';

export interface ImagePipelineOptions {
  /** Images N that tasks may name. */
  images: number;
  /** Content of preprocessor_config.json, and the size of what it makes. */
  processorConfig: unknown;
  height: number;
  width: number;
  threads: number;
  /** Where resized images are kept on disk. */
  resized?: readonly ResizedSplit[];
  /** Gets a line when they cannot be kept any more. */
  onWarning?: (line: string) => void;
}

interface Pending {
  tasks: readonly ImageTask[];
  counters: Int32Array;
  /** Of images that cannot be shown. */
  failures: ImageFailure[];
  done: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Buffers that are kept for later batches of the same size. */
const MAX_FREE = 4;

/** Close it when done. */
export class ImagePipeline {
  private readonly workers: Worker[] = [];
  private readonly cache: SharedImages;
  private readonly pending = new Map<number, Pending>();
  private nextBatch = 0;
  private free: SharedArrayBuffer[] = [];
  private freeArrays: Float32Array<ArrayBuffer>[] = [];
  private failure: Error | undefined;
  private memoryLimit = 0;
  private closing = false;
  private warned = false;

  constructor(private readonly options: ImagePipelineOptions) {
    this.cache = shareImages(2 * options.images);
  }

  /** How many bytes of decoded images may be kept in memory from now on: none before. What is kept already stays. */
  keepImages(bytes: number): void {
    this.memoryLimit = bytes;
  }

  /**
   * Starts on a batch; any number may be under way.
   * @param tasks what to show of which image, B of them
   * @param use how many of the threads work on it, at most all; and whether to keep what is decoded in memory
   * @returns pixel_values [B, 3, H, W], to be given back by {@link release} when it is known that nothing uses them any more
   * @throws ClipError naming the first image that cannot be shown; TrainingError when a thread ended
   */
  async pixelValues(
    tasks: readonly ImageTask[],
    { threads, keep }: { threads: number; keep: boolean },
  ): Promise<HostTensor> {
    if (this.failure !== undefined) throw this.failure;
    const { height, width } = this.options;
    const bytes = tasks.length * 3 * height * width * 4;
    addRoom(this.cache, this.memoryLimit);
    const message: BatchMessage = {
      batch: this.nextBatch++,
      tasks,
      keep,
      pixelValues: this.takeFree(bytes) ?? new SharedArrayBuffer(bytes),
      counters: new SharedArrayBuffer(Object.keys(COUNTERS).length * 4),
      chunks: this.cache.chunks,
    };
    const counters = new Int32Array(message.counters);
    await new Promise<void>((resolve, reject) => {
      this.pending.set(message.batch, { tasks, counters, failures: [], done: false, resolve, reject });
      const count = Math.max(1, Math.min(threads, this.options.threads));
      for (let index = 0; index < count; index++) this.worker(index).postMessage(message);
      this.holdProcess();
    });
    // ONNX Runtime takes no shared memory.
    this.freeArrays = this.freeArrays.filter(({ byteLength }) => byteLength === bytes);
    const values = this.freeArrays.pop() ?? new Float32Array(bytes / 4);
    values.set(new Float32Array(message.pixelValues));
    if (this.free.length < MAX_FREE) this.free.push(message.pixelValues);
    return float32(values, [tasks.length, 3, height, width]);
  }

  /** Takes the memory of a batch for later ones, which costs much less than memory that the system has to clear. */
  release({ data }: HostTensor): void {
    if (this.freeArrays.length < MAX_FREE) this.freeArrays.push(data as Float32Array<ArrayBuffer>);
  }

  /** Ends the threads; batches under way are rejected. */
  async close(): Promise<void> {
    this.closing = true;
    this.fail(new Error('the image pipeline was closed'));
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  /** The thread with this number, started when it is first needed. */
  private worker(index: number): Worker {
    return (this.workers[index] ??= this.startWorker());
  }

  private startWorker(): Worker {
    const { processorConfig, resized = [] } = this.options;
    const workerData: ImageWorkerData = { processorConfig, cache: this.cache, resized };
    const worker = new Worker(new URL('./image-worker.js', import.meta.url), { workerData });
    worker.on('message', (reply: BatchReply | CacheReply) => {
      if ('cacheFailure' in reply) this.warnOfCache(reply);
      else this.take(reply);
    });
    worker.on('error', (error) => {
      this.fail(new TrainingError(`a thread that decodes images failed: ${error.message}`));
    });
    worker.on('exit', (code) => {
      this.fail(new TrainingError(`a thread that decodes images ended unexpectedly (exit code ${code})`));
    });
    return worker;
  }

  /** Threads with nothing to do keep no finished program alive; those that are being ended do until they have. */
  private holdProcess(): void {
    for (const worker of this.workers) {
      if (this.pending.size > 0 || this.closing) worker.ref();
      else worker.unref();
    }
  }

  /** Each thread finds out for itself. */
  private warnOfCache({ cacheFailure }: CacheReply): void {
    if (this.warned) return;
    this.warned = true;
    this.options.onWarning?.(
      `warning: resized images are no longer taken from --image-cache: ${cacheFailure}; they are decoded when they are shown`,
    );
  }

  private take(reply: BatchReply): void {
    const pending = this.pending.get(reply.batch);
    if (pending === undefined) return;
    if ('done' in reply) pending.done = true;
    else pending.failures.push(reply);
    // Threads report on ports of their own, so a failure may arrive after the end of its batch.
    const { tasks, counters, failures, done, resolve, reject } = pending;
    if (!done || failures.length < Atomics.load(counters, COUNTERS.failed)) return;
    this.pending.delete(reply.batch);
    this.holdProcess();
    const first = failures.sort((a, b) => a.task - b.task)[0];
    if (first === undefined) resolve();
    else reject(imageError(tasks[first.task]!, first));
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.pending.values()) reject(this.failure);
    this.pending.clear();
    this.holdProcess();
  }

  /** Forgets buffers of other sizes: those of another stage. */
  private takeFree(bytes: number): SharedArrayBuffer | undefined {
    this.free = this.free.filter(({ byteLength }) => byteLength === bytes);
    return this.free.pop();
  }
}

function imageError({ location }: ImageTask, { code, message }: ImageFailure): Error {
  const text = `${describeLocation(location)}: ${message}`;
  return code === undefined ? new TrainingError(text) : new ClipError(code, text);
}

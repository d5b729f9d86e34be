/**
 * The Encoder on worker threads: each thread loads the checkpoint once and runs one batch at a time.
 * A thread that dies fails the batch it had and is replaced by the pool.
 */
import { usableCores } from '@clip-ts/clip/system';
import { basename } from 'node:path';
import { resolveModelFolder } from '@clip-ts/clip';
import type { PrecisionChoice } from '@clip-ts/clip';
import { Logger } from '@nestjs/common';
import { Piscina } from 'piscina';
import { StartError } from '../start-error.js';
import type { EncodeOutcome, Encoder, EncodeTask, ModelInfo } from './encoder.js';
import type { EncoderWorkerData, WorkerTask } from './encoder.worker.js';

const logger = new Logger('Encoder');

interface EncoderSettings {
  PRECISION: PrecisionChoice;
  ENCODER_THREADS: number;
  ENCODER_BATCH: number;
  MAX_IMAGE_BYTES: number;
  MAX_IMAGE_PIXELS: number;
}

type EncoderThreads = Piscina<WorkerTask, ModelInfo | EncodeOutcome[]>;

/** The checkpoint cannot be served; the message names the file or tensor that is wrong. */
class CheckpointError extends StartError {
  override readonly name = 'CheckpointError';

  constructor(checkpoint: string, cause: unknown) {
    super(
      `The checkpoint ${checkpoint} cannot be served: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

export class EncoderPool implements Encoder {
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly threads: EncoderThreads,
    readonly model: ModelInfo,
    readonly folder: string,
    readonly concurrency: number,
  ) {}

  /**
   * Starts the threads and loads the checkpoint in each. Throws {@link CheckpointError} when it cannot be loaded.
   * @param checkpoint a folder or a hub id
   * @param name what people know it by
   */
  static async start(settings: EncoderSettings, checkpoint: string, name?: string): Promise<EncoderPool> {
    const { ENCODER_THREADS: concurrency, PRECISION: precision } = settings;
    let threads: EncoderThreads | undefined;
    try {
      const folder = await resolveModelFolder(checkpoint, { files: 'onnx', precision });
      const workerData: EncoderWorkerData = {
        folder,
        name: name ?? (basename(checkpoint) === 'checkpoint' ? checkpoint : basename(checkpoint)),
        maxImageBytes: settings.MAX_IMAGE_BYTES,
        maxImagePixels: settings.MAX_IMAGE_PIXELS,
        batchSize: settings.ENCODER_BATCH,
        precision,
        intraOpThreads: Math.max(1, Math.floor(usableCores() / concurrency)),
      };
      threads = new Piscina<WorkerTask, ModelInfo | EncodeOutcome[]>({
        filename: new URL('./encoder.worker.js', import.meta.url).href,
        minThreads: concurrency,
        maxThreads: concurrency,
        workerData,
      });
      // A thread that dies without work is replaced; without a listener the event would end the process.
      threads.on('error', (error: unknown) => {
        logger.error(error instanceof Error ? error.stack : String(error));
      });
      const model = (await threads.run({ kind: 'describe' })) as ModelInfo;
      return new EncoderPool(threads, model, folder, concurrency);
    } catch (error) {
      await threads?.destroy();
      throw new CheckpointError(checkpoint, error);
    }
  }

  async encode(task: EncodeTask): Promise<EncodeOutcome[]> {
    return (await this.threads.run(task)) as EncodeOutcome[];
  }

  close(): Promise<void> {
    this.closing ??= this.threads.close();
    return this.closing;
  }
}

/**
 * Runs inside a worker thread: ONNX Runtime blocks the thread it runs on, so the model lives here.
 * An item that fails (a truncated image, say) must not fail the others of its batch.
 */
import { ClipEncoder, ClipError, IMAGE_FORMATS, OPTIONAL_IMAGE_FORMATS } from '@clip-ts/clip';
import type { PrecisionChoice } from '@clip-ts/clip';
import { workerData } from 'piscina';
import type { EncodeOutcome, EncodeTask, ModelInfo } from './encoder.js';
import { freeDecoded } from './free-memory.js';

/** What the pool hands to each of its threads. */
export interface EncoderWorkerData {
  folder: string;
  name: string;
  maxImageBytes: number;
  maxImagePixels: number;
  intraOpThreads: number;
  batchSize: number;
  precision: PrecisionChoice;
}

/** A task of the pool: describe the model, or encode a batch. */
export type WorkerTask = { kind: 'describe' } | EncodeTask;

const settings = workerData as EncoderWorkerData;
const encoder = await ClipEncoder.load(settings.folder, {
  maxImageBytes: settings.maxImageBytes,
  maxImagePixels: settings.maxImagePixels,
  // Uploads were checked before; a stored image is decoded whatever formats are accepted now.
  imageFormats: [...IMAGE_FORMATS, ...OPTIONAL_IMAGE_FORMATS],
  intraOpThreads: settings.intraOpThreads,
  batchSize: settings.batchSize,
  precision: settings.precision,
});

export default async function run(task: WorkerTask): Promise<ModelInfo | EncodeOutcome[]> {
  switch (task.kind) {
    case 'describe':
      return {
        hash: encoder.modelHash,
        name: settings.name,
        embeddingSize: encoder.embeddingSize,
        logitScale: encoder.logitScale,
        logitBias: encoder.logitBias,
        labelCalibration: encoder.labelCalibration,
      };
    case 'image':
      try {
        return await outcomes(
          task.items.map((item) => Buffer.from(item.buffer, item.byteOffset, item.byteLength)),
          (items) => encoder.encodeImages(items),
        );
      } finally {
        freeDecoded(encoder.collectablePixels);
      }
    case 'text':
      return outcomes(task.items, (items) => encoder.encodeTexts(items));
  }
}

async function outcomes<T>(
  items: T[],
  encode: (items: T[]) => Promise<Float32Array[]>,
): Promise<EncodeOutcome[]> {
  try {
    return (await encode(items)).map((embedding) => ({ embedding }));
  } catch (error) {
    if (items.length === 1) return [{ error: describeError(error) }];
    const single: EncodeOutcome[] = [];
    for (const item of items) single.push(...(await outcomes([item], encode)));
    return single;
  }
}

function describeError(error: unknown): { code: ClipError['code'] | 'INTERNAL'; message: string } {
  if (error instanceof ClipError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/**
 * The port through which the service computes embeddings. N items, E embedding size.
 * The adapter is EncoderPool: the checkpoint's ONNX models on worker threads.
 */
import type { ClipErrorCode, LabelCalibration } from '@clip-ts/clip';

/** What the service needs to know about the loaded model. */
export interface ModelInfo {
  /** Identifies the weights; embeddings of another hash are not comparable. */
  readonly hash: string;
  /** Name of the checkpoint folder or hub id. */
  readonly name: string;
  /** E: length of every embedding. */
  readonly embeddingSize: number;
  /** Factor on the cosine, exp already applied. */
  readonly logitScale: number;
  /** SigLIP's offset; present when scores are sigmoids. */
  readonly logitBias?: number;
  /** Of labels judged by themselves, where the checkpoint brings one. */
  readonly labelCalibration?: LabelCalibration;
}

/** An image file that has been inspected. */
export interface ImageInput {
  /** The content of the file (JPEG, PNG, …). */
  readonly bytes: Buffer;
  /** Width × height, from its header. */
  readonly pixels: number;
  /** Bytes that decoding it takes. */
  readonly memory: number;
}

/** Images are file contents (JPEG, PNG, …); texts are strings. */
export type EncodeTask = { kind: 'image'; items: Uint8Array[] } | { kind: 'text'; items: string[] };

/** One item's embedding [E], L2-normalised, or why it has none. */
export type EncodeOutcome =
  { embedding: Float32Array } | { error: { code: ClipErrorCode | 'INTERNAL'; message: string } };

export interface Encoder {
  readonly model: ModelInfo;
  /** Folder of the checkpoint. */
  readonly folder: string;
  /** Number of tasks that run at the same time. */
  readonly concurrency: number;
  /** Runs the model once over N items and returns N outcomes in their order. */
  encode(task: EncodeTask): Promise<EncodeOutcome[]>;
  close(): Promise<void>;
}

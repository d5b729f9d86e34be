/** The highest memory of a stage before it starts, from the trace of its costliest function. */
import type { CostEstimate } from 'tfjs-onnxruntime';
import { initialState, type HostTensors } from '@clip-ts/clip/train';
import type { AssembledModel } from '../model/assembled-model.js';
import type { Learning } from './learning.js';
import type { StagePlan } from './plan-stage.js';

/**
 * What ONNX Runtime takes for each byte of intermediate values that are alive at once: its arena has gaps and grows by powers
 * of two, and convolutions have workspace and copies in another layout. An arena that sessions share fills its gaps better than
 * one that each has of its own. Measured, docs/decisions/016-memory-of-training.md.
 */
const ARENA_FACTOR = {
  transformers: { shared: 1.5, own: 2.2 },
  convolutions: { shared: 1.95, own: 2.8 },
};
/** Of a compiled step: its graph, its plan, its packed constants. */
const SESSION_BYTES = 70e6;
/** Padded caption lengths that occur in a stage, where each is compiled. */
const LENGTHS = 3;
/** Copies of the weights at the end: the best ones, the exported models, the sessions that check these. */
const EXPORT_COPIES = 4;
const FLOAT = 4;

export interface StageMemoryOptions {
  assembled: AssembledModel;
  learning: Learning;
  plan: StagePlan;
  image: { height: number; width: number };
  /** Of the step, or of a wide step's costliest part. */
  cost: CostEstimate;
  /** Whether steps of several shapes use the same memory, as `Backend` says. */
  sharesMemory: boolean;
}

/** Bytes beyond what the process holds now. */
export function stageMemory({
  assembled,
  learning,
  plan,
  image,
  cost,
  sharesMemory,
}: StageMemoryOptions): number {
  const { batchSize, microBatches } = plan;
  const state = initialState(assembled.weights, learning.trainable, microBatches > 1);
  const batches = 2 * microBatches * batchSize * 3 * image.height * image.width * FLOAT;
  const factors = ARENA_FACTOR[cost.work.convolutionFlops > 0 ? 'convolutions' : 'transformers'];
  const working = cost.workingBytes * (sharesMemory ? factors.shared : factors.own);
  const sessions = SESSION_BYTES * (sharesMemory ? LENGTHS : 1);
  // A checkpoint is written from a copy of weights and moments.
  const afterwards = Math.max(bytesOf(state), EXPORT_COPIES * bytesOf(assembled.weights));
  return cost.stateBytes + sessions + working + batches + afterwards;
}

const bytesOf = (tensors: HostTensors): number =>
  Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);

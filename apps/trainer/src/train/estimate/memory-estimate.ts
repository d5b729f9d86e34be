/** The highest memory of a stage before it starts, from the trace of its costliest function. */
import type { CostEstimate } from 'tfjs-onnxruntime';
import { initialState, type HostTensors } from '@clip-ts/clip/train';
import type { AssembledModel } from '../../model/assembled-model.js';
import type { Learning } from '../stage/learning.js';
import type { StagePlan } from '../stage/plan-stage.js';

/**
 * What ONNX Runtime takes for each byte of intermediate values that are alive at once. Measured,
 * docs/decisions/016-memory-of-training.md.
 */
const ARENA = {
  /** Gaps in an arena that all sessions share, before it grows. */
  shared: 1.35,
  /** Without the addon; convolutions have workspace then, and copies in another layout. */
  own: { transformers: 2.2, convolutions: 2.5 },
};
/** Of a compiled step: its graph, its plan, its packed constants. */
const SESSION_BYTES = 80e6;
/** Padded caption lengths that occur in a stage, where each is compiled. */
const LENGTHS = 3;
/**
 * Copies of the weights at the end, when the stage's state is gone: the checkpoint's, the exported models, and the sessions
 * that check these, which pack what they multiply by.
 */
const EXPORT_COPIES = 5;
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
  const towers = cost.work.convolutionFlops > 0 ? 'convolutions' : 'transformers';
  const working = sharesMemory
    ? sharedArena[towers](ARENA.shared * cost.workingBytes)
    : ARENA.own[towers] * cost.workingBytes;
  const sessions = SESSION_BYTES * (sharesMemory ? LENGTHS : 1);
  // A checkpoint is written from a copy of weights and moments.
  const steps = cost.stateBytes + sessions + working + batches + bytesOf(state);
  // What all sessions share stays; an arena of its own goes with its session.
  const afterwards = EXPORT_COPIES * bytesOf(assembled.weights) + (sharesMemory ? sessions + working : 0);
  return Math.max(steps, afterwards);
}

const sharedArena = {
  transformers: (needed: number) => needed,
  /** An arena grows by regions of doubling size. Blocks of a convolution's size fill half of what is left of the last. */
  convolutions: (needed: number) => (needed + 2 ** Math.ceil(Math.log2(Math.max(1, needed)))) / 2,
};

const bytesOf = (tensors: HostTensors): number =>
  Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);

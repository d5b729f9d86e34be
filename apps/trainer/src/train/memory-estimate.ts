/** The highest memory of a stage before it starts, from the trace of its costliest function. */
import type { CostEstimate } from 'tfjs-onnxruntime';
import { initialState, type HostTensors } from '@clip-ts/clip/train';
import type { AssembledModel } from '../model/assembled-model.js';
import type { Learning } from './learning.js';
import type { StagePlan } from './plan-stage.js';

/**
 * What ONNX Runtime takes for each byte of intermediate values that are alive at once: its arena has gaps, grows by powers
 * of two, and serves several caption lengths. Measured, docs/decisions/016-memory-of-training.md.
 */
const ARENA_FACTOR = 2.5;
const FLOAT = 4;

export interface StageMemoryOptions {
  assembled: AssembledModel;
  learning: Learning;
  plan: StagePlan;
  image: { height: number; width: number };
  /** Of the step, or of a wide step's costliest part. */
  cost: CostEstimate;
}

/** Bytes beyond what the process holds now. */
export function stageMemory({ assembled, learning, plan, image, cost }: StageMemoryOptions): number {
  const { batchSize, microBatches } = plan;
  const state = initialState(assembled.weights, learning.trainable, microBatches > 1);
  const batches = 2 * microBatches * batchSize * 3 * image.height * image.width * FLOAT;
  return cost.stateBytes + ARENA_FACTOR * cost.workingBytes + batches + checkpointBytes(state);
}

/** A checkpoint is written from a copy of weights and moments. */
const checkpointBytes = (state: HostTensors): number =>
  Object.values(state).reduce((sum, { data }) => sum + data.byteLength, 0);

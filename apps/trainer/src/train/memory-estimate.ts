/** The highest memory of a stage before it starts, from the trace of its costliest function. */
import {
  contrastiveProgram,
  float32,
  initialState,
  int32,
  intScalar,
  updateInputs,
} from '@clip-ts/clip/train';
import type { HostTensors } from '@clip-ts/clip/train';
import type { Backend } from '../backend/open-backend.js';
import { paddedToOneLength, captionBatch } from '../data/caption-store.js';
import type { PairSource } from '../data/pair-source.js';
import type { Stage } from '../config/run-settings.js';
import type { AssembledModel } from '../model/assembled-model.js';
import { programOptions } from './learner.js';
import type { Learning } from './learning.js';
import type { StagePlan } from './plan-stage.js';

/**
 * What ONNX Runtime takes for each byte of intermediate values that are alive at once: its arena has gaps, grows by powers
 * of two, and serves several caption lengths. Measured, docs/decisions/016-memory-of-training.md.
 */
const ARENA_FACTOR = 2.5;

export interface StageMemoryOptions {
  backend: Backend;
  assembled: AssembledModel;
  learning: Learning;
  stage: Stage;
  plan: StagePlan;
  training: PairSource;
}

/** Bytes beyond what the process holds now; undefined where the backend cannot tell. */
export function stageMemory(options: StageMemoryOptions): number | undefined {
  const { backend, assembled, learning, stage, plan, training } = options;
  if (backend.estimateMemory === undefined) return undefined;
  const { batchSize: B, microBatches } = plan;
  const { height, width } = training.pixels;
  const wide = microBatches > 1;
  const state = initialState(assembled.weights, learning.trainable, wide);
  const program = contrastiveProgram(
    assembled.model,
    learning.trainable,
    programOptions(stage.config, learning),
  );
  const { input_ids } = captionBatch(paddedToOneLength(training.captions), [0]);
  const ids = int32(new Int32Array(B * input_ids.shape[1]!), [B, input_ids.shape[1]!]);
  const pixel_values = float32(new Float32Array(B * 3 * height * width), [B, 3, height, width]);
  const pairs = { pixel_values, input_ids: ids, attention_mask: ids, seed: intScalar(0) };
  const embeds = float32(new Float32Array(B * assembled.model.embeddingSize), [
    B,
    assembled.model.embeddingSize,
  ]);
  const { stateBytes, workingBytes } = wide
    ? backend.estimateMemory(program, state, 'accumulate', {
        ...pairs,
        image_grads: embeds,
        text_grads: embeds,
      })
    : backend.estimateMemory(program, state, 'step', {
        ...pairs,
        ...updateInputs(0, 0, { beta1: stage.config.adam_beta1, beta2: stage.config.adam_beta2 }),
      });
  const batches = 2 * microBatches * pixel_values.data.byteLength;
  return stateBytes + ARENA_FACTOR * workingBytes + batches + checkpointBytes(state);
}

/** A checkpoint is written from a copy of weights and moments. */
const checkpointBytes = (state: HostTensors): number =>
  Object.values(state).reduce((sum, { data }) => sum + data.byteLength, 0);

/**
 * One update on one contrastive batch, however many micro-batches it takes.
 * B pairs of a micro-batch, T tokens, E embedding, N pairs of the contrastive batch.
 */
import type { HostTensor } from '@clip-ts/clip/model';
import {
  float32,
  intScalar,
  numberOf,
  updateInputs,
  type ContrastiveProgram,
  type Runner,
} from '@clip-ts/clip/train';
import { TrainingError } from '../errors.js';
import { hashKeys } from '../random.js';

/** What goes through the towers at a time. */
export interface PairBatch {
  /** [B, 3, H, W] */
  pixel_values: HostTensor;
  /** [B, T] */
  input_ids: HostTensor;
  attention_mask: HostTensor;
}

export interface StepOptions {
  learningRate: number;
  /** Updates of the stage made before this one. */
  step: number;
  beta1: number;
  beta2: number;
  /** Of the random masks; the step number is mixed in. */
  seed: number;
}

export interface StepResult {
  loss: number;
  /** Before clipping. */
  gradientNorm: number;
  /** After the update. */
  logitScale: number;
}

/** Int32 that differs from step to step and from micro-batch to micro-batch. */
const maskSeed = ({ seed, step }: StepOptions, microBatch: number) =>
  intScalar(hashKeys(seed, step, microBatch) >>> 1);

/** @throws TrainingError when the loss is not finite; weights may then be lost */
export async function trainStep(
  runner: Runner<ContrastiveProgram>,
  microBatches: readonly PairBatch[],
  options: StepOptions,
): Promise<StepResult> {
  try {
    if (microBatches.length > 1) return await wideStep(runner, microBatches, options);
    return await narrowStep(runner, microBatches[0]!, options);
  } catch (error) {
    // The onnxruntime backend itself stops at NaN and says which op made it.
    if (!(error instanceof Error && 'code' in error && error.code === 'NON_FINITE')) throw error;
    throw nonFiniteLoss(options.step, `NaN or infinite (${error.message})`);
  }
}

async function narrowStep(
  { run }: Runner<ContrastiveProgram>,
  batch: PairBatch,
  options: StepOptions,
): Promise<StepResult> {
  const update = updateInputs(options.learningRate, options.step, options);
  const outputs = await run.step({ ...batch, seed: maskSeed(options, 0), ...update });
  const loss = finiteLoss(outputs.loss, options.step);
  return { loss, gradientNorm: numberOf(outputs.grad_norm), logitScale: numberOf(outputs.logit_scale) };
}

/** GradCache: embed all micro-batches, take the loss over all pairs, send its gradients back one by one. */
async function wideStep(
  { run }: Runner<ContrastiveProgram>,
  microBatches: readonly PairBatch[],
  options: StepOptions,
): Promise<StepResult> {
  const embedded = [];
  for (const [index, batch] of microBatches.entries()) {
    embedded.push(await run.embedPairs({ ...batch, seed: maskSeed(options, index) }));
  }
  const contrast = await run.lossOfEmbeddings({
    image_embeds: concatenateRows(embedded.map(({ image_embeds }) => image_embeds)),
    text_embeds: concatenateRows(embedded.map(({ text_embeds }) => text_embeds)),
  });
  const loss = finiteLoss(contrast.loss, options.step);
  let row = 0;
  for (const [index, batch] of microBatches.entries()) {
    const rows = batch.input_ids.shape[0]!;
    const seed = maskSeed(options, index);
    const image_grads = sliceRows(contrast.image_grads, row, rows);
    const text_grads = sliceRows(contrast.text_grads, row, rows);
    await run.accumulate({ ...batch, seed, image_grads, text_grads });
    row += rows;
  }
  const { logit_scale_grad } = contrast;
  const update = updateInputs(options.learningRate, options.step, options);
  const { grad_norm, logit_scale } = await run.applySum({ logit_scale_grad, ...update });
  return { loss, gradientNorm: numberOf(grad_norm), logitScale: numberOf(logit_scale) };
}

function finiteLoss(tensor: HostTensor, step: number): number {
  const loss = numberOf(tensor);
  if (!Number.isFinite(loss)) throw nonFiniteLoss(step, String(loss));
  return loss;
}

const nonFiniteLoss = (step: number, found: string): TrainingError =>
  new TrainingError(
    `the loss of step ${step} is ${found}, not a finite number; training stops and the last checkpoint stays. ` +
      'A lower learning_rate or a longer warm-up (warmup_steps_factor) may help',
  );

/** [B₁, E], [B₂, E], … → [ΣB, E] */
function concatenateRows(tensors: readonly HostTensor[]): HostTensor {
  const width = tensors[0]!.shape[1]!;
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0));
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  return float32(data, [data.length / width, width]);
}

function sliceRows({ data, shape }: HostTensor, start: number, rows: number): HostTensor {
  const width = shape[1]!;
  return float32((data as Float32Array).slice(start * width, (start + rows) * width), [rows, width]);
}

/** One Float32Array for each row of a [B, E] tensor. */
export function splitRows({ data, shape }: HostTensor, rows = shape[0]!): Float32Array[] {
  const width = shape[1]!;
  return Array.from({ length: rows }, (_, row) =>
    (data as Float32Array).slice(row * width, (row + 1) * width),
  );
}

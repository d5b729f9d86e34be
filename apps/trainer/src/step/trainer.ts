/**
 * Drives the contrastive program through a runner: one optimiser step a call, however many micro-batches it takes, and
 * embeddings for validation.
 * B pairs a micro-batch, T tokens, E embedding, N = B × micro-batches.
 */
import { TrainingError } from '../errors.js';
import { hashKeys } from '../random.js';
import {
  float32,
  intScalar,
  numberOf,
  scalar,
  type HostTensor,
  type HostTensors,
  type Runner,
} from './runner.js';

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
  /** Updates made before this one. */
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

const inputsOf = ({ pixel_values, input_ids, attention_mask }: PairBatch): HostTensors => ({
  pixel_values,
  input_ids,
  attention_mask,
});

function updateInputs({ learningRate, step, beta1, beta2 }: StepOptions): HostTensors {
  return {
    lr: scalar(learningRate),
    correction1: scalar(1 / (1 - beta1 ** (step + 1))),
    correction2: scalar(1 / (1 - beta2 ** (step + 1))),
  };
}

/** Int32 that differs from step to step and from micro-batch to micro-batch. */
const maskSeed = ({ seed, step }: StepOptions, microBatch: number) =>
  intScalar(hashKeys(seed, step, microBatch) >>> 1);

const notFinite = (step: number, found: string): TrainingError =>
  new TrainingError(
    `the loss of step ${step} is ${found}, not a finite number; training stops and the last checkpoint stays. ` +
      'A lower learning_rate or a longer warm-up (warmup_steps_factor) may help',
  );

function assertFinite(loss: number, step: number): void {
  if (!Number.isFinite(loss)) throw notFinite(step, String(loss));
}

/** Runs a part of a step. The onnxruntime backend itself stops at NaN and says which op made it. */
async function runPart(runner: Runner, inputs: HostTensors, { step }: StepOptions): Promise<HostTensors> {
  try {
    return await runner.run(inputs);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'NON_FINITE')) throw error;
    throw notFinite(step, `NaN or infinite (${error.message})`);
  }
}

/** One update on one contrastive batch. Throws a TrainingError when the loss is not finite; weights may then be lost. */
export async function trainStep(
  runner: Runner,
  microBatches: readonly PairBatch[],
  options: StepOptions,
): Promise<StepResult> {
  if (microBatches.length > 1) return wideStep(runner, microBatches, options);
  const inputs = { ...inputsOf(microBatches[0]!), seed: maskSeed(options, 0), ...updateInputs(options) };
  const outputs = await runPart(runner, inputs, options);
  const loss = numberOf(outputs.loss!);
  assertFinite(loss, options.step);
  return { loss, gradientNorm: numberOf(outputs.grad_norm!), logitScale: numberOf(outputs.logit_scale!) };
}

/** GradCache: embed all micro-batches, take the loss over all pairs, send its gradients back one by one. */
async function wideStep(
  runner: Runner,
  microBatches: readonly PairBatch[],
  options: StepOptions,
): Promise<StepResult> {
  const embedded: HostTensors[] = [];
  for (const [index, batch] of microBatches.entries()) {
    embedded.push(await runPart(runner, { ...inputsOf(batch), seed: maskSeed(options, index) }, options));
  }
  const { loss, image_grads, text_grads, logit_scale_grad } = await runPart(
    runner,
    {
      image_embeds: concatenateRows(embedded.map(({ image_embeds }) => image_embeds!)),
      text_embeds: concatenateRows(embedded.map(({ text_embeds }) => text_embeds!)),
    },
    options,
  );
  assertFinite(numberOf(loss!), options.step);
  let row = 0;
  for (const [index, batch] of microBatches.entries()) {
    const rows = batch.input_ids.shape[0]!;
    const share = (gradients: HostTensor) => sliceRows(gradients, row, rows);
    const seed = maskSeed(options, index);
    await runner.run({
      ...inputsOf(batch),
      seed,
      image_grads: share(image_grads!),
      text_grads: share(text_grads!),
    });
    row += rows;
  }
  const outputs = await runPart(
    runner,
    { logit_scale_grad: logit_scale_grad!, ...updateInputs(options) },
    options,
  );
  return {
    loss: numberOf(loss!),
    gradientNorm: numberOf(outputs.grad_norm!),
    logitScale: numberOf(outputs.logit_scale!),
  };
}

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

/** One Float32Array a row of a [B, E] output. */
export function splitRows({ data, shape }: HostTensor, rows = shape[0]!): Float32Array[] {
  const width = shape[1]!;
  return Array.from({ length: rows }, (_, row) =>
    (data as Float32Array).slice(row * width, (row + 1) * width),
  );
}

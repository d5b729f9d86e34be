/** One update on one contrastive batch, however many micro-batches it takes. */
import type { HostTensor } from '@clip-ts/clip/model';
import {
  concatenateRows,
  intScalar,
  type LossScale,
  numberOf,
  sliceRows,
  updateInputs,
  type ContrastiveProgram,
  type Runner,
} from '@clip-ts/clip/train';
import type { PairBatch } from '../../data/batches.js';
import { hashKeys } from '../../random.js';
import { withFiniteLoss } from './non-finite-loss.js';

export interface StepOptions {
  learningRate: number;
  /** Updates of the stage made before this one. */
  step: number;
  beta1: number;
  beta2: number;
  /** Of the random masks; the step number is mixed in. */
  seed: number;
  /** In mixed precision. */
  lossScale?: LossScale;
}

export interface StepResult {
  loss: number;
  /** Before clipping. Not finite: gradients overflowed float16, and the step changed nothing. */
  gradientNorm: number;
  /** After the update. */
  logitScale: number;
}

/** Int32 that differs from step to step and from micro-batch to micro-batch. */
export const maskSeed = ({ seed, step }: StepOptions, microBatch: number) =>
  intScalar(hashKeys(seed, step, microBatch) >>> 1);

/** AdamW's scalars, and the loss scale. AdamW does not count steps that were left out. */
export const stepInputs = (options: StepOptions): ReturnType<typeof updateInputs> => {
  const { learningRate, step, lossScale } = options;
  return updateInputs(learningRate, step - (lossScale?.skipped ?? 0), options, lossScale?.scale);
};

/** A step's scalars as numbers. */
export const stepResult = (
  outputs: Record<'loss' | 'grad_norm' | 'logit_scale', HostTensor>,
): StepResult => ({
  loss: numberOf(outputs.loss),
  gradientNorm: numberOf(outputs.grad_norm),
  logitScale: numberOf(outputs.logit_scale),
});

/** @throws TrainingError when the loss is not finite; weights may then be lost */
export const trainStep = (
  runner: Runner<ContrastiveProgram>,
  microBatches: readonly PairBatch[],
  options: StepOptions,
): Promise<StepResult> =>
  withFiniteLoss(`the loss of step ${options.step}`, () =>
    microBatches.length > 1
      ? wideStep(runner, microBatches, options)
      : narrowStep(runner, microBatches[0]!, options),
  );

async function narrowStep(
  { run }: Runner<ContrastiveProgram>,
  batch: PairBatch,
  options: StepOptions,
): Promise<StepResult> {
  const update = stepInputs(options);
  const outputs = await run.step({ ...batch, seed: maskSeed(options, 0), ...update });
  return stepResult(outputs);
}

/** GradCache: embed all micro-batches, take the loss over all pairs, send its gradients back one by one. */
async function wideStep(
  { run }: Runner<ContrastiveProgram>,
  microBatches: readonly PairBatch[],
  options: StepOptions,
): Promise<StepResult> {
  const update = stepInputs(options);
  const embedded = [];
  for (const [index, batch] of microBatches.entries()) {
    embedded.push(await run.embedPairs({ ...batch, seed: maskSeed(options, index) }));
  }
  const contrast = await run.lossOfEmbeddings({
    image_embeds: concatenateRows(embedded.map(({ image_embeds }) => image_embeds)),
    text_embeds: concatenateRows(embedded.map(({ text_embeds }) => text_embeds)),
    loss_scale: update.loss_scale,
  });
  let row = 0;
  for (const [index, batch] of microBatches.entries()) {
    const rows = batch.input_ids.shape[0]!;
    const seed = maskSeed(options, index);
    const image_grads = sliceRows(contrast.image_grads, row, rows);
    const text_grads = sliceRows(contrast.text_grads, row, rows);
    await run.accumulate({ ...batch, seed, image_grads, text_grads });
    row += rows;
  }
  const { loss, logit_scale_grad, logit_bias_grad } = contrast;
  const { grad_norm, logit_scale } = await run.applySum({ logit_scale_grad, logit_bias_grad, ...update });
  const result = stepResult({ loss, grad_norm, logit_scale });
  if (!Number.isFinite(result.gradientNorm)) await run.dropSum({ seed: maskSeed(options, 0) });
  return result;
}

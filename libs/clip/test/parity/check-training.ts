/**
 * Follows a reference's training run: logits and gradients of the first step, loss, gradient norm and learned scalars of
 * every step, and the final weights. The folder has config.json, model.safetensors, trajectory.json, and
 * golden.safetensors with `batch{i}.*`, `step0.*`, `step0.grad.*` and `final.*`.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../src/errors.js';
import {
  createContext,
  createDualEncoder,
  encodeImages,
  encodeTexts,
  type DualEncoder,
} from '../../src/model/index.js';
import { logitsPerImage } from '../../src/model/dual-encoder.js';
import { readConfig } from '../../src/model/load-model.js';
import { loadWeights } from '../../src/model/weights/load-weights.js';
import {
  contrastiveProgram,
  createEagerRunner,
  initialState,
  int32,
  numberOf,
  updateInputs,
  type ContrastiveProgram,
  type HostTensors,
  type LossOptions,
  type Runner,
} from '../../src/train/index.js';
import { valueAndGradients } from '../../src/train/gradients.js';
import { lossOf } from '../../src/train/loss.js';
import { largest, readSections, toTensor, worstDifference, type Difference, type Section } from './golden.js';
import { INPUTS, makeStep, type Batch } from './make-step.js';
import { learningOf, lossOptions, rateOf, readTrajectory, type Trajectory } from './trajectory.js';

export type CreateRunner = (program: ContrastiveProgram, state: HostTensors) => Runner<ContrastiveProgram>;

/** Relative to the largest expected value of each tensor. */
const OUTPUT_TOLERANCE = 2e-5;
const GRADIENT_TOLERANCE = 2e-4;
/** A gradient smaller than this fraction of the model's largest is compared with that fraction. */
const GRADIENT_FLOOR = 1e-3;
const LOSS_TOLERANCE = 1e-4;
/** Relative. */
const NORM_TOLERANCE = 1e-3;
const SCALAR_TOLERANCE = 1e-4;
const WEIGHT_TOLERANCE = 1e-3;

/**
 * Attention does not depend on the bias of its keys (softmax ignores what all logits share), so its gradient is rounding
 * noise, from which AdamW makes steps of full length: each side drifts on its own, by at most the sum of the rates.
 */
const KEY_BIAS = /\.(?:key|k_proj)\.bias$/;

export interface TrainingParityResult {
  readonly folder: string;
  readonly steps: number;
  readonly outputs: Difference;
  readonly gradients: Difference;
  /** Absolute; the tensor is the step. */
  readonly loss: Difference;
  /** Relative. */
  readonly gradientNorm: Difference;
  /** Of logit_scale and logit_bias, absolute. */
  readonly scalars: Difference;
  /** Absolute. */
  readonly weights: Difference;
  readonly failures: readonly string[];
}

/** Follows one folder. @throws ClipError naming what cannot be followed */
export async function checkTraining(
  folder: string,
  createRunner: CreateRunner = createEagerRunner,
): Promise<TrainingParityResult> {
  const trajectory = await readTrajectory(folder);
  const model = createDualEncoder(await readConfig(folder));
  assertNoDropout(model);
  const weights = await loadWeights(folder, model.layer.specs(''));
  const batches = await readBatches(folder, trajectory);
  const golden = await readSections(join(folder, 'golden.safetensors'), ['step0', 'step0.grad', 'final']);
  const loss = lossOptions(trajectory, model);
  const first = await firstStep(
    model,
    weights,
    loss,
    batches.slice(0, trajectory.micro_batches_per_step),
    trajectory,
  );
  const expected = new Map([...golden.step0!].filter(([name]) => !name.startsWith('grad.')));
  const outputs = worstDifference(first.outputs, expected, 0);
  const floor = GRADIENT_FLOOR * largest(golden['step0.grad']!);
  const gradients = worstDifference(first.gradients, golden['step0.grad']!, floor);
  const course = await follow(model, weights, loss, batches, trajectory, golden.final!, createRunner);
  const checks: [name: string, difference: Difference, tolerance: number][] = [
    ['outputs', outputs, OUTPUT_TOLERANCE],
    ['gradients', gradients, GRADIENT_TOLERANCE],
    ['loss', course.loss, LOSS_TOLERANCE],
    ['gradient norm', course.gradientNorm, NORM_TOLERANCE],
    ['logit_scale and logit_bias', course.scalars, SCALAR_TOLERANCE],
    ['final weights', course.weights, WEIGHT_TOLERANCE],
  ];
  const failures = checks.filter(([, { value }, tolerance]) => !(value <= tolerance)).map(([name]) => name);
  if (golden['step0.grad']!.size === 0) failures.push('no gradients in the file');
  if (golden.final!.size === 0) failures.push('no final weights in the file');
  return { folder, steps: trajectory.log.length, outputs, gradients, ...course, failures };
}

/** Random masks of another program cannot be followed. */
function assertNoDropout({ config }: DualEncoder): void {
  for (const side of ['vision_config', 'text_config'] as const)
    for (const [key, value] of Object.entries(config[side]))
      if (/dropout|drop_path/.test(key) && typeof value === 'number' && value > 0)
        throw new ClipError('MODEL_UNSUPPORTED', 'A run with dropout cannot be followed', {
          expected: `${side}.${key} 0`,
          found: String(value),
        });
}

/** The micro-batches of all steps. A batch without attention_mask has no padding to leave out. */
async function readBatches(
  folder: string,
  { log, micro_batches_per_step, options }: Trajectory,
): Promise<Batch[]> {
  const count = log.length * micro_batches_per_step;
  const names = Array.from({ length: count }, (_, i) => `batch${i}`);
  const sections = await readSections(join(folder, 'golden.safetensors'), names);
  return names.map((name) => {
    const { pixel_values, input_ids, attention_mask, ...others } = Object.fromEntries(sections[name]!);
    const [unknown] = Object.keys(others);
    if (unknown !== undefined || pixel_values === undefined || input_ids === undefined)
      throw new ClipError('MODEL_UNSUPPORTED', `${name} of ${folder} cannot be followed`, {
        expected: INPUTS.join(', '),
        found: [...sections[name]!.keys()].join(', ') || 'nothing',
      });
    if (pixel_values.shape[0] !== options.batch)
      throw new ClipError(
        'MODEL_UNSUPPORTED',
        `${name} of ${folder} is not of the batch size that the options name`,
        {
          expected: String(options.batch),
          found: String(pixel_values.shape[0]),
        },
      );
    const ones = () => int32(new Int32Array(input_ids.data.length).fill(1), [...input_ids.shape]);
    return { pixel_values, input_ids, attention_mask: attention_mask ?? ones() };
  });
}

/** Outputs and gradients of the whole first batch, op by op. */
async function firstStep(
  model: DualEncoder,
  weights: HostTensors,
  loss: LossOptions,
  batches: readonly Batch[],
  trajectory: Trajectory,
) {
  const { trainable, frozenTowers } = learningOf(trajectory, model, loss);
  const tensors = Object.fromEntries(
    Object.entries(weights).map(([name, tensor]) => [name, toTensor(tensor)]),
  );
  const whole = (name: (typeof INPUTS)[number]) =>
    tf.concat(
      batches.map((batch) => toTensor(batch[name])),
      0,
    );
  const kept: Record<string, tf.Tensor> = {};
  const { gradients } = valueAndGradients(
    (current) => {
      const ctx = createContext({ frozenTowers, batchNorm: trajectory.batch_norm });
      const image_embeds = encodeImages(model, current, whole('pixel_values'), ctx);
      const text_embeds = encodeTexts(model, current, whole('input_ids'), whole('attention_mask'), ctx);
      const logits_per_image = logitsPerImage(model, current, image_embeds, text_embeds);
      Object.assign(kept, {
        image_embeds,
        text_embeds,
        logits_per_image,
        logits_per_text: tf.transpose(logits_per_image),
      });
      const value = lossOf(loss, image_embeds, text_embeds, current);
      kept.loss = value;
      Object.values(kept).forEach((tensor) => tf.keep(tensor));
      return value;
    },
    tensors,
    trainable,
  );
  const read = async (named: Readonly<Record<string, tf.Tensor>>) => {
    const values = new Map<string, ArrayLike<number>>();
    for (const [name, tensor] of Object.entries(named)) values.set(name, await tensor.data());
    return values;
  };
  const result = { outputs: await read(kept), gradients: await read(gradients) };
  tf.dispose([tensors, kept, gradients]);
  return result;
}

/** Trains as the file says, and compares each step with its log. */
async function follow(
  model: DualEncoder,
  weights: HostTensors,
  loss: LossOptions,
  batches: readonly Batch[],
  trajectory: Trajectory,
  final: Section,
  createRunner: CreateRunner,
) {
  const { options, log, micro_batches_per_step: A } = trajectory;
  const { trainable, frozenTowers, factors } = learningOf(trajectory, model, loss);
  const [beta1, beta2] = options.betas;
  const program = contrastiveProgram(model, trainable, {
    beta1,
    beta2,
    epsilon: options.eps,
    weightDecay: options.wd,
    maxGradNorm: options.clip,
    rateFactors: factors,
    frozenTowers,
    batchNorm: trajectory.batch_norm,
    loss,
  });
  const runner = createRunner(program, initialState(weights, trainable, A > 1));
  const worst = { loss: nothing(), gradientNorm: nothing(), scalars: nothing() };
  let moved = 0;
  for (const { step, ...expected } of log) {
    const rate = rateOf(trajectory, step);
    moved += rate;
    const found = await makeStep(
      runner,
      batches.slice(step * A, (step + 1) * A),
      updateInputs(rate, step, { beta1, beta2 }),
    );
    const at = `step ${step}`;
    worst.loss = larger(worst.loss, at, Math.abs(found.loss - expected.loss));
    worst.gradientNorm = larger(
      worst.gradientNorm,
      at,
      Math.abs(found.grad_norm - expected.grad_norm) / expected.grad_norm,
    );
    worst.scalars = larger(
      worst.scalars,
      `logit_scale, ${at}`,
      Math.abs(found.logit_scale - expected.logit_scale),
    );
    if (expected.logit_bias !== undefined) {
      const { logit_bias } = await runner.readState(['logit_bias']);
      worst.scalars = larger(
        worst.scalars,
        `logit_bias, ${at}`,
        Math.abs(numberOf(logit_bias!) - expected.logit_bias),
      );
    }
  }
  const names = [...final.keys()].filter((name) => name in weights);
  const ended = await runner.readState(names);
  runner.dispose();
  let weightsDifference = nothing();
  for (const [name, { data }] of final) {
    const value = largestGap(ended[name]?.data, data);
    if (!(KEY_BIAS.test(name) && value <= 2 * moved))
      weightsDifference = larger(weightsDifference, name, value);
  }
  return { ...worst, weights: weightsDifference };
}

/** Absolute; infinite where there is nothing to compare with. */
function largestGap(found: ArrayLike<number> | undefined, expected: ArrayLike<number>): number {
  if (found?.length !== expected.length) return Infinity;
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(found[i]! - expected[i]!);
    if (!(gap <= most)) most = gap;
  }
  return most;
}

const nothing = (): Difference => ({ tensor: '-', value: 0 });

const larger = (worst: Difference, tensor: string, value: number): Difference =>
  value <= worst.value ? worst : { tensor, value };

/** One line: the verdict, the folder, and the worst difference of each kind with where it is. */
export function describeTraining(result: TrainingParityResult): string {
  const show = ({ tensor, value }: Difference) => `${value.toExponential(1)} (${tensor})`;
  const { folder, steps, outputs, gradients, loss, gradientNorm, scalars, weights, failures } = result;
  return (
    `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${folder}: first step: outputs ${show(outputs)}, gradients ${show(gradients)}; ` +
    `${steps} steps: loss ${show(loss)}, gradient norm ${show(gradientNorm)}, scalars ${show(scalars)}; ` +
    `final weights ${show(weights)}${failures.length === 0 ? '' : `; too far: ${failures.join(', ')}`}`
  );
}

/**
 * Checks a model against a golden folder: outputs and, for every parameter, the gradient of
 * loss = Σ outputs · cotangents, on the current TensorFlow.js backend.
 */
import * as tf from '@tensorflow/tfjs-core';
import { ClipError } from '../../src/errors.js';
import { createContext } from '../../src/model/context.js';
import { valueAndGradients } from '../../src/train/gradients.js';
import type { HostTensor, TensorSpec } from '../../src/model/types.js';
import {
  largest,
  readGolden,
  toTensor,
  worstAngle,
  worstDifference,
  type Difference,
  type Section,
} from './golden.js';
import { readSubject, type Subject } from './subject.js';

/** Relative to the largest expected value of each tensor. */
const OUTPUT_TOLERANCE = 2e-5;
const GRADIENT_TOLERANCE = 2e-4;
/** Batch norm in training mode divides by statistics of few values. */
const TRAINING_OUTPUT_TOLERANCE = 1e-4;
/** 1 - cosine; where relative differences exceed their tolerance in training mode. */
const ANGLE_TOLERANCE = 1e-3;

/** What towers take. */
const INPUTS = ['pixel_values', 'input_ids', 'attention_mask'];

/** A gradient smaller than this fraction of the model's largest is compared with that fraction. */
const GRADIENT_FLOOR = 1e-3;

export interface ParityResult {
  readonly folder: string;
  readonly outputs: number;
  readonly gradients: number;
  readonly output: Difference;
  readonly gradient: Difference;
  readonly gradientMeasure: 'relative' | 'angle';
  readonly passed: boolean;
}

/**
 * Runs one folder: in evaluation mode or, when its golden file has running statistics `after.*`, with batch norm in
 * training mode, when they count as outputs. Errors of loading propagate.
 */
export async function checkFolder(folder: string): Promise<ParityResult> {
  const subject = await readSubject(folder);
  const golden = await readGolden(folder);
  const trains = golden.after!.size > 0;
  const { outputs, gradients } = await evaluate(subject, golden, trains ? 'training' : 'evaluation');
  const expected = new Map([...golden.output!, ...golden.after!]);
  const output = worstDifference(outputs, expected, 0);
  const floor = GRADIENT_FLOOR * largest(golden.grad!);
  const relative = worstDifference(gradients, golden.grad!, floor);
  const byAngle = trains && relative.value > GRADIENT_TOLERANCE;
  const gradient = byAngle ? worstAngle(gradients, golden.grad!, floor) : relative;
  const passed =
    expected.size > 0 &&
    output.value <= (trains ? TRAINING_OUTPUT_TOLERANCE : OUTPUT_TOLERANCE) &&
    gradient.value <= (byAngle ? ANGLE_TOLERANCE : GRADIENT_TOLERANCE);
  return {
    folder,
    outputs: expected.size,
    gradients: golden.grad!.size,
    output,
    gradient,
    gradientMeasure: byAngle ? 'angle' : 'relative',
    passed,
  };
}

interface Evaluation {
  readonly outputs: Map<string, ArrayLike<number>>;
  readonly gradients: Map<string, ArrayLike<number>>;
}

/** Outputs, new running statistics and gradients of a subject on a golden file's inputs and cotangents. */
async function evaluate(
  subject: Subject,
  golden: Record<string, Section>,
  batchNorm: 'evaluation' | 'training',
): Promise<Evaluation> {
  for (const name of golden.input!.keys()) if (!INPUTS.includes(name)) throw unknownInput(name);
  const inputs = toTensors(golden.input!);
  const cotangents = toTensors(golden.cotangent!);
  const names = subject.specs.filter(isDifferentiable).map((spec) => spec.name);
  const weights = toTensors(new Map(Object.entries(subject.tensors)));
  const kept: Record<string, tf.Tensor> = {};
  const { value, gradients } = valueAndGradients(
    (current) => {
      const ctx = createContext({ batchNorm });
      const outputs = subject.forward(current, inputs, ctx);
      const terms = Object.entries(cotangents).map(([name, cotangent]) => {
        const output = outputs[name];
        if (output === undefined) throw unknownOutput(name, Object.keys(outputs));
        kept[name] = output;
        return tf.sum(tf.mul(tf.reshape(output, cotangent.shape), cotangent));
      });
      Object.assign(kept, ctx.statistics);
      Object.values(kept).forEach((tensor) => tf.keep(tensor));
      return terms.reduce((sum, term) => tf.add(sum, term)) as tf.Scalar;
    },
    weights,
    names,
  );
  const outputs = await readAll(kept);
  const evaluation = { outputs, gradients: await readAll(gradients) };
  tf.dispose([inputs, cotangents, weights, kept, value, gradients]);
  return evaluation;
}

function unknownInput(name: string): ClipError {
  return new ClipError('MODEL_UNSUPPORTED', 'The golden file has an input that no tower takes', {
    expected: INPUTS.join(', '),
    found: name,
  });
}

function unknownOutput(name: string, known: readonly string[]): ClipError {
  return new ClipError(
    'MODEL_UNSUPPORTED',
    `The golden file has an output ${name} that this check does not compute`,
    {
      expected: known.join(', '),
      found: name,
    },
  );
}

function isDifferentiable({ dtype, trainable, name }: TensorSpec): boolean {
  return dtype !== 'int64' && (trainable || !/running_(mean|var)$/.test(name));
}

function toTensors(section: ReadonlyMap<string, HostTensor>): Record<string, tf.Tensor> {
  return Object.fromEntries([...section].map(([name, tensor]) => [name, toTensor(tensor)]));
}

async function readAll(
  tensors: Readonly<Record<string, tf.Tensor>>,
): Promise<Map<string, ArrayLike<number>>> {
  const values = new Map<string, ArrayLike<number>>();
  for (const [name, tensor] of Object.entries(tensors)) values.set(name, await tensor.data());
  return values;
}

/** One line: the verdict, the folder, and the worst output and gradient difference with the tensor it is in. */
export function describeResult(result: ParityResult): string {
  const show = ({ tensor, value }: Difference) => `${value.toExponential(1)} (${tensor})`;
  return (
    `${result.passed ? 'ok  ' : 'FAIL'} ${result.folder}: ` +
    `${result.outputs} outputs, worst ${show(result.output)}; ` +
    `${result.gradients} gradients, worst ${show(result.gradient)}${result.gradientMeasure === 'angle' ? ' by angle' : ''}`
  );
}

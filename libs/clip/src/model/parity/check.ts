/**
 * Checks a model against a golden folder: outputs and, for every parameter, the gradient of
 * loss = Σ outputs · cotangents, on the current TensorFlow.js backend.
 */
import * as tf from '@tensorflow/tfjs-core';
import { valueAndGradients } from '../gradients.js';
import { createContext, type HostTensor, type TensorSpec } from '../types.js';
import { largest, readGolden, toTensor, worstDifference, type Difference, type Section } from './golden.js';
import { readSubject, type Subject } from './subject.js';

/** Relative to the largest expected value of each tensor. */
export const OUTPUT_TOLERANCE = 2e-5;
export const GRADIENT_TOLERANCE = 2e-4;

/** A gradient smaller than this share of the model's largest is compared with that share. */
const GRADIENT_FLOOR = 1e-3;

export interface ParityResult {
  readonly folder: string;
  readonly outputs: number;
  readonly gradients: number;
  readonly output: Difference;
  readonly gradient: Difference;
  readonly passed: boolean;
}

/** Runs one folder. Errors of loading propagate. */
export async function checkFolder(folder: string): Promise<ParityResult> {
  const subject = await readSubject(folder);
  const golden = await readGolden(folder);
  const { outputs, gradients } = await evaluate(subject, golden);
  const output = worstDifference(outputs, golden.output!, 0);
  const gradient = worstDifference(gradients, golden.grad!, GRADIENT_FLOOR * largest(golden.grad!));
  const passed =
    golden.output!.size > 0 && output.value <= OUTPUT_TOLERANCE && gradient.value <= GRADIENT_TOLERANCE;
  return { folder, outputs: golden.output!.size, gradients: golden.grad!.size, output, gradient, passed };
}

interface Evaluation {
  readonly outputs: Map<string, Float32Array>;
  readonly gradients: Map<string, Float32Array>;
}

/** Outputs and gradients of a subject on a golden file's inputs and cotangents, in evaluation mode. */
async function evaluate(subject: Subject, golden: Record<string, Section>): Promise<Evaluation> {
  const inputs = toTensors(golden.input!);
  const cotangents = toTensors(golden.cotangent!);
  const names = subject.specs.filter(isDifferentiable).map((spec) => spec.name);
  const weights = toTensors(new Map(Object.entries(subject.tensors)));
  const kept: Record<string, tf.Tensor> = {};
  const { value, gradients } = valueAndGradients(
    (current) => {
      const outputs = subject.forward(current, inputs, createContext());
      const terms = Object.entries(cotangents).map(([name, cotangent]) => {
        kept[name] = tf.keep(outputs[name]!);
        return tf.sum(tf.mul(tf.reshape(outputs[name]!, cotangent.shape), cotangent));
      });
      return terms.reduce((sum, term) => tf.add(sum, term)) as tf.Scalar;
    },
    weights,
    names,
  );
  const evaluation = {
    outputs: await readAll(Object.entries(kept)),
    gradients: await readAll(Object.entries(gradients)),
  };
  tf.dispose([inputs, cotangents, weights, kept, value, gradients]);
  return evaluation;
}

function isDifferentiable({ dtype, trainable, name }: TensorSpec): boolean {
  return dtype !== 'int64' && (trainable || !/running_(mean|var)$/.test(name));
}

function toTensors(section: ReadonlyMap<string, HostTensor>): Record<string, tf.Tensor> {
  return Object.fromEntries([...section].map(([name, tensor]) => [name, toTensor(tensor)]));
}

async function readAll(
  tensors: readonly (readonly [string, tf.Tensor])[],
): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [name, tensor] of tensors) values.set(name, (await tensor.data()) as Float32Array);
  return values;
}

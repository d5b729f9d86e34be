/**
 * Golden folders: config.json, model.safetensors and golden.safetensors with `input.*`, `output.*`,
 * `cotangent.*`, `grad.*`, where loss = Σ outputs · cotangents.
 */
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { SafetensorsFile } from '../../src/safetensors/index.js';
import type { HostTensor } from '../../src/model/types.js';

/** The tensors of a golden file under one prefix, by the rest of their names. */
export type Section = ReadonlyMap<string, HostTensor>;

/** Reads the sections of `file`; integers as int32, the rest as float32. */
export async function readSections(
  file: string,
  prefixes: readonly string[],
): Promise<Record<string, Section>> {
  const opened = await SafetensorsFile.open(file);
  try {
    const sections: Record<string, Map<string, HostTensor>> = {};
    for (const prefix of prefixes) {
      const section = (sections[prefix] = new Map<string, HostTensor>());
      for (const [name, { dtype, shape }] of opened.tensors) {
        if (!name.startsWith(`${prefix}.`)) continue;
        const data = await opened.readFloat32(name);
        const integer = dtype.startsWith('I');
        section.set(name.slice(prefix.length + 1), {
          data: integer ? Int32Array.from(data) : data,
          shape,
          dtype: integer ? 'int32' : 'float32',
        });
      }
    }
    return sections;
  } finally {
    await opened.close();
  }
}

/** The golden file of a folder. */
export function readGolden(folder: string): Promise<Record<string, Section>> {
  return readSections(join(folder, 'golden.safetensors'), ['input', 'output', 'cotangent', 'grad', 'after']);
}

export function toTensor({ data, shape, dtype }: HostTensor): tf.Tensor {
  return tf.tensor(data, [...shape], dtype);
}

/** The largest difference of a set of tensors, relative to scale, and the tensor that it is in. */
export interface Difference {
  readonly tensor: string;
  readonly value: number;
}

/**
 * Compares tensors by the largest absolute difference over the larger of their largest expected magnitude
 * and `floor`. The floor keeps tensors that are zero but for rounding from counting as wrong.
 */
export function worstDifference(
  found: ReadonlyMap<string, ArrayLike<number>>,
  expected: Section,
  floor: number,
): Difference {
  return worstOf(found, expected, (values, data) => relativeDifference(values, data, floor));
}

/** The tensor with the largest value of a measure; infinite where there is nothing to compare with. */
function worstOf(
  found: ReadonlyMap<string, ArrayLike<number>>,
  expected: Section,
  measure: (found: ArrayLike<number>, expected: ArrayLike<number>) => number,
): Difference {
  let worst: Difference = { tensor: '-', value: 0 };
  for (const [name, { data }] of expected) {
    const values = found.get(name);
    const value = values?.length === data.length ? measure(values, data) : Infinity;
    if (!(value <= worst.value)) worst = { tensor: name, value };
  }
  return worst;
}

function relativeDifference(found: ArrayLike<number>, expected: ArrayLike<number>, floor: number): number {
  let difference = 0;
  let scale = floor;
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(found[i]! - expected[i]!);
    if (!(gap <= difference)) difference = gap;
    scale = Math.max(scale, Math.abs(expected[i]!));
  }
  return difference / scale;
}

/**
 * Compares tensors by direction: 1 - cosine, of those whose largest expected magnitude reaches `floor`.
 * For gradients of batch norm in training mode under ReLU6, where rounding moves values across its corners.
 */
export function worstAngle(
  found: ReadonlyMap<string, ArrayLike<number>>,
  expected: Section,
  floor: number,
): Difference {
  const compared = new Map(
    [...expected].filter(([name, tensor]) => largest(new Map([[name, tensor]])) >= floor),
  );
  return worstOf(found, compared, (values, data) => 1 - cosine(values, data));
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, squaresA, squaresB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i]! * b[i]!;
    squaresA += a[i]! ** 2;
    squaresB += b[i]! ** 2;
  }
  return product / Math.sqrt(squaresA * squaresB);
}

/** The largest magnitude in a section. */
export function largest(section: Section): number {
  let most = 0;
  for (const { data } of section.values()) for (const value of data) most = Math.max(most, Math.abs(value));
  return most;
}

/**
 * Writes a model's weights so that transformers opens them unchanged. A tensor whose values are still those of the
 * checkpoint that it came from is written with the bytes of that file.
 */
import { join } from 'node:path';
import { WEIGHTS_FILE } from '../../checkpoint/index.js';
import { ClipError } from '../../errors.js';
import { writeSafetensors, type TensorEntry } from '../../safetensors/index.js';
import type { HostTensor, TensorSpec } from '../types.js';
import { matchNames } from './load-weights.js';
import { openTensorSource, type TensorSource } from './source.js';

export interface SaveOptions {
  /** The folder that the weights were loaded from, with the prefixes that loading allowed. */
  readonly source?: { readonly folder: string; readonly prefixes?: readonly string[] };
}

/**
 * Writes `<folder>/model.safetensors`: every tensor of `specs`, float32, or as in the source where untouched.
 * @throws ClipError WEIGHTS_MISMATCH when a tensor is missing or misshapen
 */
export async function saveWeights(
  folder: string,
  specs: readonly TensorSpec[],
  tensors: Readonly<Record<string, HostTensor>>,
  { source }: SaveOptions = {},
): Promise<void> {
  const opened = source === undefined ? undefined : await openTensorSource(source.folder);
  try {
    const names = opened === undefined ? undefined : matchNames(opened, specs, source?.prefixes ?? []);
    const entries: TensorEntry[] = [];
    for (const spec of specs) {
      const tensor = checked(spec, tensors[spec.name]);
      const stored = names?.get(spec.name);
      const untouched =
        opened !== undefined && stored !== undefined && (await isUntouched(opened, stored, tensor));
      entries.push(untouched ? copyOf(opened, stored, spec) : fresh(spec, tensor));
    }
    await writeSafetensors(join(folder, WEIGHTS_FILE), entries, { format: 'pt' });
  } finally {
    await opened?.close();
  }
}

function checked(spec: TensorSpec, tensor: HostTensor | undefined): HostTensor {
  const size = spec.shape.reduce((product, dimension) => product * dimension, 1);
  if (tensor?.data.length === size) return tensor;
  throw new ClipError('WEIGHTS_MISMATCH', `The tensor ${spec.name} cannot be saved`, {
    expected: `[${spec.shape.join(', ')}]`,
    found: tensor === undefined ? 'nothing' : `[${tensor.shape.join(', ')}]`,
  });
}

async function isUntouched(source: TensorSource, stored: string, { data }: HostTensor): Promise<boolean> {
  const values = await source.readFloat32(stored);
  const before = data instanceof Int32Array ? Int32Array.from(values) : values;
  return Buffer.compare(bytesOf(before), bytesOf(data)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function copyOf(source: TensorSource, stored: string, { name, shape }: TensorSpec): TensorEntry {
  return { name, shape, dtype: source.tensors.get(stored)!.dtype, data: () => source.readBytes(stored) };
}

function fresh({ name, shape, dtype }: TensorSpec, { data }: HostTensor): TensorEntry {
  if (dtype !== 'int64') return { name, shape, dtype: 'F32', data };
  return { name, shape, dtype: 'I64', data: BigInt64Array.from(data, (value) => BigInt(value)) };
}

/**
 * Fills tensors from their specifications. Each tensor's numbers depend on (seed, its name) alone,
 * so adding a tensor to a model does not change the others.
 */
import type { HostTensor, Initializer, TensorSpec } from '../types.js';
import { normalStream, uniformStream } from './random.js';

/** The default limit of torch's `trunc_normal_`: absolute, not in standard deviations. */
const TRUNCATION = 2;

/** Every tensor of a model from scratch, by name. */
export function initWeights(specs: readonly TensorSpec[], seed: number): Record<string, HostTensor> {
  return Object.fromEntries(specs.map((spec) => [spec.name, initTensor(spec, seed)]));
}

/** One tensor from scratch. */
export function initTensor({ name, shape, init, dtype }: TensorSpec, seed: number): HostTensor {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (dtype === 'int64')
    return { data: fill(new Int32Array(size), init, shape, () => 0), shape, dtype: 'int32' };
  const uniform = uniformStream(seed, name);
  return { data: fill(new Float32Array(size), init, shape, uniform), shape, dtype: 'float32' };
}

function fill<T extends Float32Array | Int32Array>(
  data: T,
  init: Initializer,
  shape: readonly number[],
  uniform: () => number,
): T {
  switch (init.kind) {
    case 'zeros':
      return data;
    case 'ones':
      data.fill(1);
      return data;
    case 'constant':
      data.fill(init.value);
      return data;
    case 'values':
      data.set(init.values);
      return data;
    case 'uniform':
      for (let i = 0; i < data.length; i++) data[i] = (2 * uniform() - 1) * init.bound;
      return data;
    case 'normal': {
      const normal = normalStream(uniform);
      for (let i = 0; i < data.length; i++) data[i] = normal() * init.std;
      const width = data.length / shape[0]!;
      if (init.zeroRow !== undefined) data.fill(0, init.zeroRow * width, (init.zeroRow + 1) * width);
      return data;
    }
    case 'truncatedNormal': {
      const limit = init.limit ?? TRUNCATION;
      const normal = normalStream(uniform);
      for (let i = 0; i < data.length; i++) {
        let value = normal() * init.std;
        while (Math.abs(value) > limit) value = normal() * init.std;
        data[i] = value;
      }
      return data;
    }
  }
}

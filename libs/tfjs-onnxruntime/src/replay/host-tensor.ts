/** Tensors as plain JavaScript data: what goes into and comes out of a replayed function. */
import { EngineError } from '../errors.js';
import { sameShape } from '../graph/shape.js';
import { sizeOf, type ElementType, type TypedArray } from '../graph/value.js';

/** A tensor in JavaScript memory; `data` is in row-major order and of the array type that `dtype` says. */
export interface HostTensor {
  data: Float32Array | Int32Array | Uint8Array | BigInt64Array;
  shape: number[];
  dtype: 'float32' | 'int32' | 'bool' | 'int64';
}
/** Shape and dtype without contents. */
export interface TensorSignature {
  type: ElementType;
  shape: readonly number[];
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array, int64: BigInt64Array } as const;

/** @throws EngineError BAD_INPUT when array type, length and shape do not fit together */
export function checkHostTensor(name: string, tensor: HostTensor | undefined): HostTensor {
  if (tensor === undefined) throw new EngineError('BAD_INPUT', `the input "${name}" is missing.`);
  const { data, shape, dtype } = tensor;
  const expected = ARRAYS[dtype];
  if (!(data instanceof expected)) {
    throw new EngineError(
      'BAD_INPUT',
      `"${name}" is ${dtype}: expected a ${expected?.name}, found ${data?.constructor?.name}.`,
    );
  }
  if (data.length !== sizeOf(shape)) {
    throw new EngineError(
      'BAD_INPUT',
      `"${name}" has shape [${shape.join(',')}] = ${sizeOf(shape)} elements, found ${data.length}.`,
    );
  }
  return tensor;
}

export function checkSignature(name: string, found: TensorSignature, expected: TensorSignature): void {
  if (found.type === expected.type && sameShape(found.shape, expected.shape)) return;
  const describe = ({ type, shape }: TensorSignature): string => `${type}[${shape.join(',')}]`;
  throw new EngineError('BAD_STATE', `"${name}" must stay ${describe(expected)}, found ${describe(found)}.`);
}

export const hostTensor = (type: ElementType, shape: readonly number[], data: TypedArray): HostTensor => ({
  data: data as HostTensor['data'],
  shape: [...shape],
  dtype: type as HostTensor['dtype'],
});

/**
 * Names, dtypes and shapes of inputs as one string: what a step is compiled for.
 * @throws EngineError BAD_INPUT
 */
export const signatureOf = (inputs: Readonly<Record<string, HostTensor>>): string =>
  Object.keys(inputs)
    .sort()
    .map((name) => {
      const { dtype, shape } = checkHostTensor(name, inputs[name]);
      return `${name}:${dtype}[${shape.join(',')}]`;
    })
    .join(' ');

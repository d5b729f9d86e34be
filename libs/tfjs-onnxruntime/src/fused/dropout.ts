/**
 * FusedDropout (Srivastava et al. 2014): the mask is a function of (seed, salt) and the position alone, so the
 * backward pass recomputes it instead of keeping it, and a replayed step repeats it exactly.
 *
 * The mask is u(i,j) ≥ rate with u(i,j) = frac(rᵢ·cⱼ), r and c pseudo-random vectors over rows and columns that
 * (seed, salt) select: two small vectors are hashed, and each element costs one product. Products stay below 4096,
 * so u has 12 fractional bits: the rate is met to 1/4096.
 */
import * as tf from '@tensorflow/tfjs-core';
import { reshape } from '../graph/layout.js';
import { add, binary, cast, greater, mul, not, op, sub, unary } from '../graph/ops.js';
import { sizeOf } from '../graph/shape.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';

interface DropoutAttrs {
  rate: number;
  salt: number;
}

const fraction = (x: Value): Value => sub(x, unary('Floor', x));

/** `n` numbers in [1, 64) that depend on the seed; two rounds of a sine hash, whose argument stays small. */
function vector(n: number, seed: Value, salt: number): Value {
  const index = op('Range', [scalar(1), scalar(n + 1), scalar(1)], [n], 'float32');
  const low = cast(binary('Mod', seed, scalar(1021, 'int32')), 'float32');
  const high = cast(
    binary('Mod', op('Div', [seed, scalar(1021, 'int32')], seed.shape, 'int32'), scalar(1019, 'int32')),
    'float32',
  );
  const phase = add(add(mul(low, 0.7548776662), mul(high, 0.5698402909)), (salt * 0.6180339887) % 1021);
  const first = fraction(mul(unary('Sin', add(mul(index, 12.9898 / 7), phase)), 4375.85));
  const second = fraction(mul(unary('Sin', add(mul(first, 93.9737), phase)), 2634.57));
  return add(mul(second, 63), 1);
}

function dropout(x: Value, seed: Value, { rate, salt }: DropoutAttrs): Value {
  if (rate === 0) return x;
  const columns = x.shape.at(-1) ?? 1;
  const rows = sizeOf(x.shape) / columns;
  const r = reshape(vector(rows, seed, 2 * salt), [rows, 1]);
  const c = vector(columns, seed, 2 * salt + 1);
  const u = fraction(binary('Mul', r, c));
  const kept = mul(cast(not(greater(scalar(rate), u)), 'float32'), 1 / (1 - rate));
  return reshape(mul(reshape(x, [rows, columns]), kept), x.shape);
}

export const dropoutKernels: KernelDefinition[] = [
  define<'x' | 'seed', DropoutAttrs>('FusedDropout', ({ x, seed }, attrs) =>
    dropout(x, cast(seed, 'int32'), attrs),
  ),
];

export const dropoutGradientConfig: tf.GradConfig = {
  kernelName: 'FusedDropout',
  inputsToSave: ['seed'],
  gradFunc: (dy, [seed], attrs) => ({
    x: () => tf.engine().runKernel<tf.Tensor>('FusedDropout', { x: dy as tf.Tensor, seed: seed! }, attrs),
    seed: () => tf.zerosLike(seed!),
  }),
};

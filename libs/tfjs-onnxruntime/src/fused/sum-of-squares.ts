/**
 * FusedSumOfSquares: Σ x² over all elements of a list of tensors, the square of a gradient's norm. With the native addon one
 * node reads them all; otherwise there is a reduction for each.
 */
import { add } from '../graph/ops.js';
import { reduce } from '../graph/reductions.js';
import type { Value } from '../graph/value.js';
import { defineList, type KernelDefinition } from '../kernels/define.js';
import { nativeSumOfSquares } from './native.js';

export const sumOfSquaresKernels: KernelDefinition[] = [
  defineList('FusedSumOfSquares', (values, _, { recordsNative }) =>
    recordsNative
      ? nativeSumOfSquares(values)
      : values.map((x: Value) => reduce('ReduceSumSquare', x, null)).reduce((sum, x) => add(sum, x)),
  ),
];

/**
 * FusedRectifier: min(max(x, 0), highest), that is ReLU (highest = ∞) and ReLU6, with the gradient taken from the result:
 * it passes where 0 < y < highest, PyTorch's rule, and x need not be kept.
 */
import * as tf from '@tensorflow/tfjs-core';
import { binary, greater, less, op, unary, where } from '../graph/ops.js';
import { scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from '../kernels/define.js';
import { nativeBiasRectify, nativeRectifierGradient } from './native.js';

interface RectifierAttrs {
  highest: number;
}

const rectify = (x: Value, highest: number): Value =>
  highest === Infinity ? unary('Relu', x) : op('Clip', [x, scalar(0), scalar(highest)], x.shape, x.type);

function rectifierGradient(dy: Value, y: Value, highest: number): Value {
  const positive = greater(y, 0);
  const passes = highest === Infinity ? positive : binary('And', positive, less(y, highest), 'bool');
  return where(passes, dy, scalar(0));
}

export const rectifierKernels: KernelDefinition[] = [
  define<'x', RectifierAttrs>('FusedRectifier', ({ x }, { highest }, { recordsNative }) => {
    const fused = recordsNative ? nativeBiasRectify(x, highest) : undefined;
    return fused ?? rectify(x, highest);
  }),
  define<'dy' | 'y', RectifierAttrs>('FusedRectifierGrad', ({ dy, y }, { highest }, { recordsNative }) =>
    recordsNative && y.shape.length > 0
      ? nativeRectifierGradient(dy, y, highest)
      : rectifierGradient(dy, y, highest),
  ),
];

export const rectifierGradientConfig: tf.GradConfig = {
  kernelName: 'FusedRectifier',
  outputsToSave: [true],
  gradFunc: (dy, [y], attrs) => ({
    x: () => tf.engine().runKernel<tf.Tensor>('FusedRectifierGrad', { dy: dy as tf.Tensor, y: y! }, attrs),
  }),
};

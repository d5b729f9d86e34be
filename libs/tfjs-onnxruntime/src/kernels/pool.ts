/** 2-D pooling and its gradients, NHWC. Padding never counts in averages. */
import * as tf from '@tensorflow/tfjs-core';
import { div, filled, op, reshape, transpose } from '../graph/ops.js';
import { sameShape, sizeOf } from '../graph/shape.js';
import { constant, node, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

interface PoolAttrs {
  filterSize: [number, number] | number;
  strides: [number, number] | number;
  pad: tf.MaxPoolAttrs['pad'];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}
type Info = ReturnType<typeof tf.backend_util.computePool2DInfo>;

const poolInfo = (shape: readonly number[], a: PoolAttrs): Info =>
  tf.backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    a.filterSize,
    a.strides,
    1,
    a.pad,
    a.dimRoundingMode,
  );

const windowAttributes = (i: Info) => ({
  kernel_shape: [i.filterHeight, i.filterWidth],
  strides: [i.strideHeight, i.strideWidth],
  pads: [i.padInfo.top, i.padInfo.left, i.padInfo.bottom, i.padInfo.right],
});

const toChannelsFirst = (x: Value): Value => transpose(x, [0, 3, 1, 2]);
const toChannelsLast = (x: Value): Value => transpose(x, [0, 2, 3, 1]);
const outputShape = (i: Info): number[] => [i.batchSize, i.outChannels, i.outHeight, i.outWidth];

/** Windows of one element that keep the shape; TensorFlow.js takes them as the identity whatever the padding. */
function isIdentity(x: Value, a: PoolAttrs): boolean {
  const i = poolInfo(x.shape, a);
  return i.filterHeight === 1 && i.filterWidth === 1 && sameShape(i.inShape, i.outShape);
}

function averagePool(x: Value, a: PoolAttrs): Value {
  const i = poolInfo(x.shape, a);
  const attributes = { ...windowAttributes(i), count_include_pad: 0 };
  return toChannelsLast(op('AveragePool', [toChannelsFirst(x)], outputShape(i), 'float32', attributes));
}

/** Each output hands dy ÷ (number of real inputs in its window) back to its window. */
function averagePoolGradient(dy: Value, input: Value, a: PoolAttrs): Value {
  const i = poolInfo(input.shape, a);
  const { strides, pads, kernel_shape: kernel } = windowAttributes(i);
  const size = [i.inHeight, i.inWidth];
  const out = [i.outHeight, i.outWidth];
  // Windows at the border hold fewer inputs; their number is an outer product of row and column counts.
  const counts = [0, 1].map((k) =>
    Array.from({ length: out[k]! }, (_, o) => {
      const start = o * strides[k]! - pads[k]!;
      return Math.min(start + kernel[k]!, size[k]!) - Math.max(start, 0);
    }),
  );
  const area = counts[0]!.flatMap((rows) => counts[1]!.map((columns) => rows * columns));
  const share = div(toChannelsFirst(dy), constant('float32', [1, 1, ...out], area));
  const extra = size.map((n, k) => n + pads[k]! + pads[k + 2]! - kernel[k]! - (out[k]! - 1) * strides[k]!);
  const ones = filled(1, 'float32', [i.inChannels, 1, ...kernel]);
  const shape = [i.batchSize, i.inChannels, ...size];
  const attributes = { strides, pads, output_padding: extra, group: i.inChannels };
  return toChannelsLast(op('ConvTranspose', [share, ones], shape, 'float32', attributes));
}

/** Maximum and, as ONNX gives it, its flat position in the NCHW input. */
function maxPool(x: Value, i: Info): [values: Value, positions: Value] {
  const shape = outputShape(i);
  const outputs = [
    { type: 'float32' as const, shape },
    { type: 'int64' as const, shape },
  ];
  const [values, positions] = node('MaxPool', [toChannelsFirst(x)], windowAttributes(i), outputs);
  return [values!, positions!];
}

/** Adds every dy to the place its maximum came from; overlapping windows add up. */
function maxPoolGradient(dy: Value, input: Value, a: PoolAttrs): Value {
  const i = poolInfo(input.shape, a);
  const [, positions] = maxPool(input, i);
  const length = sizeOf(input.shape);
  const count = sizeOf(dy.shape);
  const zeros = filled(0, 'float32', [length]);
  const flat = [zeros, reshape(positions, [count]), reshape(toChannelsFirst(dy), [count])];
  const summed = op('ScatterElements', flat, [length], 'float32', { axis: 0, reduction: 'add' });
  return toChannelsLast(reshape(summed, [i.batchSize, i.inChannels, i.inHeight, i.inWidth]));
}

export const poolKernels: KernelDefinition[] = [
  define<'x', PoolAttrs>('MaxPool', ({ x }, a) =>
    isIdentity(x, a) ? x : toChannelsLast(maxPool(x, poolInfo(x.shape, a))[0]),
  ),
  define<'x', PoolAttrs>('AvgPool', ({ x }, a) => (isIdentity(x, a) ? x : averagePool(x, a))),
  define<'dy' | 'input' | 'output', PoolAttrs>('MaxPoolGrad', ({ dy, input }, a) =>
    maxPoolGradient(dy, input, a),
  ),
  define<'dy' | 'input', PoolAttrs>('AvgPoolGrad', ({ dy, input }, a) => averagePoolGradient(dy, input, a)),
];

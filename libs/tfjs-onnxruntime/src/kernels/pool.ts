/**
 * Pooling over two (NHWC) or three (NDHWC) axes and its gradients. Padding never counts in averages.
 * ONNX has the channels first; the axes between batch and channels are called spatial here, whatever their number.
 */
import * as tf from '@tensorflow/tfjs-core';
import { filled, pad, reshape, transpose } from '../graph/layout.js';
import { add, binary, div, mul, op, sub, unary, where } from '../graph/ops.js';
import { range, sameShape, sizeOf } from '../graph/shape.js';
import { constant, materialised, node, scalar, type Value } from '../graph/value.js';
import { convolveTransposed } from './convolve.js';
import { define, type KernelDefinition } from './define.js';

interface PoolAttrs {
  filterSize: [number, number] | [number, number, number] | number;
  strides: [number, number] | [number, number, number] | number;
  pad: tf.MaxPoolAttrs['pad'];
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** The geometry of a pooling; every list has one entry per spatial axis. */
interface Windows {
  batch: number;
  channels: number;
  size: number[];
  out: number[];
  kernel: number[];
  strides: number[];
  before: number[];
  after: number[];
}

function windowsOf(shape: readonly number[], a: PoolAttrs): Windows {
  const info = poolInfo(shape, a);
  const { top, left, bottom, right } = info.padInfo;
  const planar = {
    batch: info.batchSize,
    channels: info.inChannels,
    size: [info.inHeight, info.inWidth],
    out: [info.outHeight, info.outWidth],
    kernel: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    before: [top, left],
    after: [bottom, right],
  };
  if (!('inDepth' in info)) return planar;
  return {
    ...planar,
    size: [info.inDepth, ...planar.size],
    out: [info.outDepth, ...planar.out],
    kernel: [info.filterDepth, ...planar.kernel],
    strides: [info.strideDepth, ...planar.strides],
    before: [info.padInfo.front, ...planar.before],
    after: [info.padInfo.back, ...planar.after],
  };
}

function poolInfo(shape: readonly number[], a: PoolAttrs) {
  const { computePool2DInfo, computePool3DInfo } = tf.backend_util;
  return shape.length === 4
    ? computePool2DInfo(
        shape as [number, number, number, number],
        a.filterSize as [number, number],
        a.strides as [number, number],
        1,
        a.pad,
        a.dimRoundingMode,
      )
    : computePool3DInfo(
        shape as [number, number, number, number, number],
        a.filterSize as [number, number, number],
        a.strides as [number, number, number],
        1,
        a.pad as number,
        a.dimRoundingMode,
      );
}

const windowAttributes = (w: Windows) => ({
  kernel_shape: w.kernel,
  strides: w.strides,
  pads: [...w.before, ...w.after],
});

function toChannelsFirst(x: Value): Value {
  const last = x.shape.length - 1;
  return transpose(x, [0, last, ...range(last - 1).map((i) => i + 1)]);
}
const toChannelsLast = (x: Value): Value =>
  transpose(x, [0, ...range(x.shape.length - 2).map((i) => i + 2), 1]);
const outputShape = (w: Windows): number[] => [w.batch, w.channels, ...w.out];
const inputShape = (w: Windows): number[] => [w.batch, w.channels, ...w.size];

/** Windows of one element that keep the shape; TensorFlow.js takes them as the identity whatever the padding. */
const isIdentity = (w: Windows): boolean => w.kernel.every((k) => k === 1) && sameShape(w.size, w.out);

/** ONNX refuses padding as large as the window: such inputs are padded beforehand. */
function padBeforehand(x: Value, w: Windows, value: number): [x: Value, w: Windows] {
  if (w.kernel.every((k, i) => w.before[i]! < k && w.after[i]! < k)) return [x, w];
  const none = w.kernel.map(() => 0);
  const size = w.size.map((n, i) => n + w.before[i]! + w.after[i]!);
  return [pad(x, [0, ...w.before, 0], [0, ...w.after, 0], value), { ...w, size, before: none, after: none }];
}

/** How many real inputs each window holds, [1, 1, ...out]: an outer product of counts per axis. */
function windowCounts(w: Windows): Value {
  const counts = w.out.map((n, k) =>
    Array.from({ length: n }, (_, o) => {
      const start = o * w.strides[k]! - w.before[k]!;
      return Math.max(0, Math.min(start + w.kernel[k]!, w.size[k]!) - Math.max(start, 0));
    }),
  );
  const area = counts.reduce<number[]>((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1]);
  return constant('float32', [1, 1, ...w.out], area);
}

function averagePool(x: Value, w: Windows): Value {
  const [input, inner] = padBeforehand(x, w, 0);
  const attributes = { ...windowAttributes(inner), count_include_pad: 0 };
  const means = op('AveragePool', [toChannelsFirst(input)], outputShape(w), 'float32', attributes);
  if (inner === w) return toChannelsLast(means);
  // ONNX counted the added zeros; windows of padding alone stay 0.
  const real = binary('Max', windowCounts(w), scalar(1));
  return toChannelsLast(mul(means, div(scalar(sizeOf(w.kernel)), real)));
}

/** Each output distributes dy evenly over the real inputs in its window. */
function averagePoolGradient(dy: Value, w: Windows): Value {
  const { strides, pads, kernel_shape: kernel } = windowAttributes(w);
  const share = div(toChannelsFirst(dy), windowCounts(w));
  const extra = w.size.map(
    (n, k) => n + w.before[k]! + w.after[k]! - kernel[k]! - (w.out[k]! - 1) * strides[k]!,
  );
  const ones = filled(1, 'float32', [w.channels, 1, ...kernel]);
  const attributes = { strides, pads, output_padding: extra, group: w.channels };
  return toChannelsLast(convolveTransposed(share, ones, inputShape(w), attributes));
}

/** Maximum and, as ONNX gives it, its flat position in the input with channels first. */
function maxPool(x: Value, w: Windows): [values: Value, positions: Value] {
  const shape = outputShape(w);
  const outputs = [
    { type: 'float32' as const, shape },
    { type: 'int64' as const, shape },
  ];
  const [values, positions] = node('MaxPool', [toChannelsFirst(x)], windowAttributes(w), outputs);
  return [values!, positions!];
}

/** Adds every dy at the position of its maximum; contributions of overlapping windows are summed. */
function maxPoolGradient(dy: Value, input: Value, w: Windows): Value {
  const [, positions] = maxPool(input, w);
  const length = sizeOf(input.shape);
  const count = sizeOf(dy.shape);
  const zeros = filled(0, 'float32', [length]);
  const flat = [zeros, reshape(positions, [count]), reshape(toChannelsFirst(dy), [count])];
  const summed = op('ScatterElements', flat, [length], 'float32', { axis: 0, reduction: 'add' });
  return toChannelsLast(reshape(summed, inputShape(w)));
}

/** The position with channels last: (y·W + x)·C + c, plus the image's start when the batch counts. */
function channelsLastPositions(positions: Value, w: Windows, includeBatch: boolean): Value {
  const plane = sizeOf(w.size);
  const counter = (n: number, shape: number[]): Value =>
    materialised(
      'int64',
      shape,
      BigInt64Array.from({ length: n }, (_, i) => BigInt(i)),
    );
  const image = counter(w.batch, [w.batch, 1, 1, 1]);
  const channel = counter(w.channels, [1, w.channels, 1, 1]);
  const times = (x: Value, factor: number): Value => mul(x, scalar(factor, 'int64'));
  const pixel = sub(positions, times(add(times(image, w.channels), channel), plane));
  const within = add(times(pixel, w.channels), channel);
  const flat = includeBatch ? add(within, times(image, plane * w.channels)) : within;
  return op('Cast', [toChannelsLast(flat)], [w.batch, ...w.out, w.channels], 'int32', { to: 6 });
}

function poolKernelsFor(suffix: '' | '3D'): KernelDefinition[] {
  return [
    define<'x', PoolAttrs>(`MaxPool${suffix}`, ({ x }, a) => {
      const w = windowsOf(x.shape, a);
      return isIdentity(w) ? x : toChannelsLast(maxPool(...padBeforehand(x, w, -Infinity))[0]);
    }),
    define<'x', PoolAttrs>(`AvgPool${suffix}`, ({ x }, a) => {
      const w = windowsOf(x.shape, a);
      return isIdentity(w) ? x : averagePool(x, w);
    }),
    define<'dy' | 'input' | 'output', PoolAttrs>(`MaxPool${suffix}Grad`, ({ dy, input }, a) =>
      maxPoolGradient(dy, input, windowsOf(input.shape, a)),
    ),
    define<'dy' | 'input', PoolAttrs>(`AvgPool${suffix}Grad`, ({ dy, input }, a) =>
      averagePoolGradient(dy, windowsOf(input.shape, a)),
    ),
  ];
}

export const poolKernels: KernelDefinition[] = [
  ...poolKernelsFor(''),
  ...poolKernelsFor('3D'),
  define<'x', PoolAttrs & { includeBatchInIndex: boolean }>('MaxPoolWithArgmax', ({ x }, a) => {
    const w = windowsOf(x.shape, a);
    // NaN is never the maximum here.
    const [values, positions] = maxPool(where(unary('IsNaN', x, 'bool'), scalar(-Infinity), x), w);
    return [toChannelsLast(values), channelsLastPositions(positions, w, a.includeBatchInIndex)];
  }),
];

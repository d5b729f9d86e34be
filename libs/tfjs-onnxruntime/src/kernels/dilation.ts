/**
 * Grey-scale dilation: y = max over the window of x + filter, and its gradients, which go to the maximum only.
 * Letters: B batch, H W input, P Q output, C channels, T elements of the window.
 */
import * as tf from '@tensorflow/tfjs-core';
import { concat, filled, gather, pad, reshape, slice } from '../graph/layout.js';
import { add, mul, op } from '../graph/ops.js';
import { reduce } from '../graph/reductions.js';
import { sizeOf } from '../graph/shape.js';
import { materialised, scalar, type Value } from '../graph/value.js';
import { define, type KernelDefinition } from './define.js';

type Info = ReturnType<typeof tf.backend_util.computeDilation2DInfo>;

function windowInfo(x: Value, filter: Value, { strides, pad: padding, dilations }: tf.Dilation2DAttrs): Info {
  return tf.backend_util.computeDilation2DInfo(
    x.shape as [number, number, number, number],
    filter.shape as [number, number, number],
    strides,
    padding,
    'NHWC',
    dilations,
  );
}

/** Below every input, so that padding is never the maximum. */
const PADDING = Number.MIN_SAFE_INTEGER;

function padded(x: Value, i: Info): Value {
  const { top, left, bottom, right } = i.padInfo;
  return pad(x, [0, top, left, 0], [0, bottom, right, 0], PADDING);
}

const elements = (i: Info): { r: number; s: number }[] =>
  Array.from({ length: i.filterHeight * i.filterWidth }, (_, t) => ({
    r: Math.floor(t / i.filterWidth),
    s: t % i.filterWidth,
  }));

/** x + filter for every element of the window: [T, B, P, Q, C]. */
function candidates(x: Value, filter: Value, i: Info): Value {
  const image = padded(x, i);
  const sums = elements(i).map(({ r, s }) => {
    const along = (axis: number, start: number, count: number, step: number) => ({
      axis,
      start,
      end: start + (count - 1) * step + 1,
      step,
    });
    const shifted = slice(image, [
      along(1, r * i.dilationHeight, i.outHeight, i.strideHeight),
      along(2, s * i.dilationWidth, i.outWidth, i.strideWidth),
    ]);
    const weight = slice(filter, [
      { axis: 0, start: r, end: r + 1 },
      { axis: 1, start: s, end: s + 1 },
    ]);
    const sum = add(shifted, reshape(weight, [i.inChannels]));
    return reshape(sum, [1, ...sum.shape]);
  });
  return concat(sums, 0);
}

/** Index of the maximum within the window: [B, P, Q, C], int64. */
const winners = (x: Value, filter: Value, i: Info): Value =>
  op('ArgMax', [candidates(x, filter, i)], i.outShape, 'int64', { axis: 0, keepdims: 0 });

const int64Table = (shape: number[], numbers: number[]): Value =>
  materialised('int64', shape, BigInt64Array.from(numbers, BigInt));

/** Adds `values` at flat `positions` of zeros of the given shape. */
function scatterTo(shape: readonly number[], positions: Value, values: Value): Value {
  const count = sizeOf(values.shape);
  const flat = [
    filled(0, values.type, [sizeOf(shape)]),
    reshape(positions, [count]),
    reshape(values, [count]),
  ];
  return reshape(
    op('ScatterElements', flat, [sizeOf(shape)], values.type, { axis: 0, reduction: 'add' }),
    shape,
  );
}

function inputGradient(x: Value, filter: Value, dy: Value, i: Info): Value {
  const image = padded(x, i).shape as [number, number, number, number];
  const [, height, width, channels] = image;
  const offsets = elements(i).map(
    ({ r, s }) => (r * i.dilationHeight * width + s * i.dilationWidth) * channels,
  );
  const starts: number[] = [];
  for (let b = 0; b < i.batchSize; b++)
    for (let p = 0; p < i.outHeight; p++)
      for (let q = 0; q < i.outWidth; q++)
        for (let c = 0; c < channels; c++)
          starts.push(((b * height + p * i.strideHeight) * width + q * i.strideWidth) * channels + c);
  const offset = gather(int64Table([offsets.length], offsets), winners(x, filter, i));
  const whole = scatterTo(image, add(int64Table(i.outShape, starts), offset), dy);
  const { top, left } = i.padInfo;
  return slice(whole, [
    { axis: 1, start: top, end: top + i.inHeight },
    { axis: 2, start: left, end: left + i.inWidth },
  ]);
}

function filterGradient(x: Value, filter: Value, dy: Value, i: Info): Value {
  const channels = int64Table(
    [i.inChannels],
    Array.from({ length: i.inChannels }, (_, c) => c),
  );
  const positions = add(mul(winners(x, filter, i), scalar(i.inChannels, 'int64')), channels);
  return scatterTo(filter.shape, positions, dy);
}

export const dilationKernels: KernelDefinition[] = [
  define<'x' | 'filter', tf.Dilation2DAttrs>('Dilation2D', ({ x, filter }, attrs) =>
    reduce('ReduceMax', candidates(x, filter, windowInfo(x, filter, attrs)), 0),
  ),
  define<'x' | 'filter' | 'dy', tf.Dilation2DAttrs>('Dilation2DBackpropInput', ({ x, filter, dy }, attrs) =>
    inputGradient(x, filter, dy, windowInfo(x, filter, attrs)),
  ),
  define<'x' | 'filter' | 'dy', tf.Dilation2DAttrs>('Dilation2DBackpropFilter', ({ x, filter, dy }, attrs) =>
    filterGradient(x, filter, dy, windowInfo(x, filter, attrs)),
  ),
];

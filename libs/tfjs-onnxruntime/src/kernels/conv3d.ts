/**
 * Three-dimensional convolution and its gradients. TensorFlow.js is NDHWC with DHWIO filters, ONNX is NCDHW with
 * OIDHW; lists have one entry per spatial axis.
 */
import * as tf from '@tensorflow/tfjs-core';
import { slice, transpose } from '../graph/layout.js';
import type { Value } from '../graph/value.js';
import { convolve, convolveTransposed } from './convolve.js';
import { define, type KernelDefinition } from './define.js';

interface ConvAttrs {
  strides: [number, number, number] | number;
  pad: 'valid' | 'same';
  dilations?: [number, number, number] | number;
}

interface Geometry {
  batch: number;
  inChannels: number;
  outChannels: number;
  size: number[];
  out: number[];
  filter: number[];
  /** Extent of a dilated filter. */
  reach: number[];
  strides: number[];
  dilations: number[];
  before: number[];
  after: number[];
}

function geometry(xShape: readonly number[], filterShape: readonly number[], a: ConvAttrs): Geometry {
  type Shape5 = [number, number, number, number, number];
  const dilations = a.dilations ?? 1;
  const i = tf.backend_util.computeConv3DInfo(
    xShape as Shape5,
    filterShape as Shape5,
    a.strides,
    dilations,
    a.pad,
  );
  return {
    batch: i.batchSize,
    inChannels: i.inChannels,
    outChannels: i.outChannels,
    size: [i.inDepth, i.inHeight, i.inWidth],
    out: [i.outDepth, i.outHeight, i.outWidth],
    filter: [i.filterDepth, i.filterHeight, i.filterWidth],
    reach: [i.effectiveFilterDepth, i.effectiveFilterHeight, i.effectiveFilterWidth],
    strides: [i.strideDepth, i.strideHeight, i.strideWidth],
    dilations: [i.dilationDepth, i.dilationHeight, i.dilationWidth],
    before: [i.padInfo.front, i.padInfo.top, i.padInfo.left],
    after: [i.padInfo.back, i.padInfo.bottom, i.padInfo.right],
  };
}

const toChannelsFirst = (x: Value): Value => transpose(x, [0, 4, 1, 2, 3]);
const toChannelsLast = (x: Value): Value => transpose(x, [0, 2, 3, 4, 1]);
const pads = (g: Geometry): number[] => [...g.before, ...g.after];

function conv3d(x: Value, filter: Value, a: ConvAttrs): Value {
  const g = geometry(x.shape, filter.shape, a);
  const attributes = { strides: g.strides, dilations: g.dilations, pads: pads(g) };
  const shape = [g.batch, g.outChannels, ...g.out];
  return toChannelsLast(convolve(toChannelsFirst(x), transpose(filter, [4, 3, 0, 1, 2]), shape, attributes));
}

function inputGradient(dy: Value, filter: Value, inputShape: readonly number[], a: ConvAttrs): Value {
  const g = geometry(inputShape, filter.shape, a);
  const extra = g.size.map(
    (n, k) => n + g.before[k]! + g.after[k]! - g.reach[k]! - (g.out[k]! - 1) * g.strides[k]!,
  );
  const attributes = { strides: g.strides, dilations: g.dilations, pads: pads(g), output_padding: extra };
  const weight = transpose(filter, [4, 3, 0, 1, 2]);
  const shape = [g.batch, g.inChannels, ...g.size];
  return toChannelsLast(convolveTransposed(toChannelsFirst(dy), weight, shape, attributes));
}

/** A convolution of x [C,N,D,H,W] with dy [K,N,…] with stride and dilation swapped, cut to the size of the filter. */
function filterGradient(x: Value, dy: Value, filterShape: readonly number[], a: ConvAttrs): Value {
  const g = geometry(x.shape, filterShape, a);
  const size = g.size.map((n, k) => {
    const span = (g.out[k]! - 1) * g.strides[k]! + 1;
    return Math.floor((n + g.before[k]! + g.after[k]! - span) / g.dilations[k]!) + 1;
  });
  const attributes = { strides: g.dilations, dilations: g.strides, pads: pads(g) };
  const full = convolve(
    transpose(x, [4, 0, 1, 2, 3]),
    transpose(dy, [4, 0, 1, 2, 3]),
    [g.inChannels, g.outChannels, ...size],
    attributes,
  );
  const cut = slice(
    full,
    g.filter.map((end, k) => ({ axis: 2 + k, start: 0, end })),
  );
  return transpose(cut, [2, 3, 4, 0, 1]);
}

export const conv3dKernels: KernelDefinition[] = [
  define<'x' | 'filter', ConvAttrs>('Conv3D', ({ x, filter }, a) => conv3d(x, filter, a)),
  define<'dy' | 'filter', ConvAttrs & { inputShape: number[] }>(
    'Conv3DBackpropInputV2',
    ({ dy, filter }, a) => inputGradient(dy, filter, a.inputShape, a),
  ),
  define<'x' | 'dy', ConvAttrs & { filterShape: number[] }>('Conv3DBackpropFilterV2', ({ x, dy }, a) =>
    filterGradient(x, dy, a.filterShape, a),
  ),
];

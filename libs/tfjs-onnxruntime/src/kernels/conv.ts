/**
 * Convolutions and their gradients. TensorFlow.js is NHWC with HWIO filters, ONNX is NCHW with OIHW.
 * Non-overlapping convolutions (patch embeddings, 1×1) become one matrix product on NHWC as it is.
 * Letters: N batch, H W input, P Q output, C input channels, K output channels, R S filter.
 */
import * as tf from '@tensorflow/tfjs-core';
import { reshape, slice, transpose } from '../graph/layout.js';
import { add } from '../graph/ops.js';
import { matMul } from '../graph/products.js';
import { sizeOf } from '../graph/shape.js';
import type { Value } from '../graph/value.js';
import { convolve, convolveTransposed } from './convolve.js';
import { define, type KernelDefinition } from './define.js';
import { activate } from './matmul.js';
import {
  isNativeDepthwise,
  nativeDepthwise,
  nativeDepthwiseFilterGradient,
  nativeDepthwiseInputGradient,
} from './native-depthwise.js';

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

const NHWC_TO_NCHW = [0, 3, 1, 2];
const NCHW_TO_NHWC = [0, 2, 3, 1];
const toChannelsFirst = (x: Value): Value => transpose(x, NHWC_TO_NCHW);
const toChannelsLast = (x: Value): Value => transpose(x, NCHW_TO_NHWC);

interface ConvAttrs {
  strides: [number, number] | number;
  pad: tf.Conv2DAttrs['pad'];
  dataFormat?: 'NHWC' | 'NCHW';
  dilations?: [number, number] | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function convInfo(
  xShape: readonly number[],
  filterShape: readonly number[],
  a: ConvAttrs,
  depthwise = false,
): Info {
  const format = a.dataFormat === 'NCHW' ? 'channelsFirst' : 'channelsLast';
  return tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    a.strides,
    a.dilations ?? 1,
    a.pad,
    a.dimRoundingMode,
    depthwise,
    format,
  );
}

const windowAttributes = (i: Info) => ({
  strides: [i.strideHeight, i.strideWidth],
  dilations: [i.dilationHeight, i.dilationWidth],
  pads: [i.padInfo.top, i.padInfo.left, i.padInfo.bottom, i.padInfo.right],
});

/** Windows tile the input exactly: the convolution is a product of patches with the filter. */
const isTiling = (i: Info): boolean =>
  i.padInfo.top + i.padInfo.bottom + i.padInfo.left + i.padInfo.right === 0 &&
  i.strideHeight === i.filterHeight &&
  i.strideWidth === i.filterWidth &&
  i.dilationHeight === 1 &&
  i.dilationWidth === 1 &&
  i.inHeight === i.outHeight * i.filterHeight &&
  i.inWidth === i.outWidth * i.filterWidth;

/** [N,H,W,C] → [N·P·Q, R·S·C] */
function toPatches(x: Value, i: Info): Value {
  const cut = reshape(x, [i.batchSize, i.outHeight, i.filterHeight, i.outWidth, i.filterWidth, i.inChannels]);
  const rows = i.batchSize * i.outHeight * i.outWidth;
  return reshape(transpose(cut, [0, 1, 3, 2, 4, 5]), [rows, i.filterHeight * i.filterWidth * i.inChannels]);
}

/** [N·P·Q, R·S·C] → [N,H,W,C] */
function fromPatches(patches: Value, i: Info): Value {
  const cut = reshape(patches, [
    i.batchSize,
    i.outHeight,
    i.outWidth,
    i.filterHeight,
    i.filterWidth,
    i.inChannels,
  ]);
  return reshape(transpose(cut, [0, 1, 3, 2, 4, 5]), [i.batchSize, i.inHeight, i.inWidth, i.inChannels]);
}

const outputMatrix = (y: Value, i: Info): Value =>
  reshape(y, [i.batchSize * i.outHeight * i.outWidth, i.outChannels]);
const filterMatrix = (filter: Value, i: Info): Value =>
  reshape(filter, [i.filterHeight * i.filterWidth * i.inChannels, i.outChannels]);

/** The attributes for channels last: explicit padding is listed per axis. */
function channelsLast(a: ConvAttrs): ConvAttrs {
  const explicit = a.dataFormat === 'NCHW' && Array.isArray(a.pad) ? a.pad : undefined;
  const pad = explicit ? (NCHW_TO_NHWC.map((p) => explicit[p]!) as ConvAttrs['pad']) : a.pad;
  return { ...a, pad, dataFormat: 'NHWC' };
}

/** Runs a kernel that is written for channels last; NCHW costs two transposes. */
function inChannelsLast(format: string | undefined, x: Value, run: (x: Value) => Value): Value {
  return format === 'NCHW' ? toChannelsFirst(run(toChannelsLast(x))) : run(x);
}

function conv2d(x: Value, filter: Value, a: ConvAttrs): Value {
  return inChannelsLast(a.dataFormat, x, (input) => {
    const i = convInfo(input.shape, filter.shape, channelsLast(a));
    const shape = [i.batchSize, i.outHeight, i.outWidth, i.outChannels];
    if (isTiling(i)) return reshape(matMul(toPatches(input, i), filterMatrix(filter, i)), shape);
    const nchw = [i.batchSize, i.outChannels, i.outHeight, i.outWidth];
    return toChannelsLast(
      convolve(toChannelsFirst(input), transpose(filter, [3, 2, 0, 1]), nchw, windowAttributes(i)),
    );
  });
}

/**
 * Transposed convolution: the gradient with respect to the input, and the transposed convolution layer. ONNX Runtime's CUDA
 * provider takes the same padding on both sides only; where it differs, the result is cut instead.
 */
function inputGradient(dy: Value, weight: Value, i: Info, group: number): Value {
  const { strides, dilations, pads } = windowAttributes(i);
  const out = [i.outHeight, i.outWidth];
  const axes = [i.inHeight, i.inWidth].map((size, k) => {
    const [begin, end] = [pads[k]!, pads[k + 2]!];
    const both = Math.min(begin, end);
    const reached = (out[k]! - 1) * strides[k]! + [i.effectiveFilterHeight, i.effectiveFilterWidth][k]!;
    const start = begin - both;
    // Input rows beyond the last full window receive no gradient; ONNX calls them output_padding.
    const extra = Math.max(0, start + size - (reached - 2 * both));
    return { both, extra, start, end: start + size, full: reached - 2 * both + extra };
  });
  const shape = [i.batchSize, i.inChannels, ...axes.map(({ full }) => full)];
  const symmetric = axes.map(({ both }) => both);
  const attributes = {
    ...{ strides, dilations, group },
    pads: [...symmetric, ...symmetric],
    output_padding: axes.map(({ extra }) => extra),
  };
  const full = convolveTransposed(toChannelsFirst(dy), weight, shape, attributes);
  return toChannelsLast(
    slice(
      full,
      axes.map(({ start, end }, k) => ({ axis: 2 + k, start, end })),
    ),
  );
}

function conv2dBackpropInput(dy: Value, filter: Value, inputShape: readonly number[], a: ConvAttrs): Value {
  return inChannelsLast(a.dataFormat, dy, (full) => {
    const shape = a.dataFormat === 'NCHW' ? NCHW_TO_NHWC.map((p) => inputShape[p]!) : inputShape;
    const i = convInfo(shape, filter.shape, channelsLast(a));
    // Rows and columns of dy beyond the output size that follows from the input's shape are ignored.
    const gradient = slice(full, [
      { axis: 1, start: 0, end: i.outHeight },
      { axis: 2, start: 0, end: i.outWidth },
    ]);
    if (isTiling(i)) {
      return fromPatches(matMul(outputMatrix(gradient, i), filterMatrix(filter, i), { transposeB: true }), i);
    }
    return inputGradient(gradient, transpose(filter, [3, 2, 0, 1]), i, 1);
  });
}

/** dW is itself a convolution: x [C,N,H,W] with dy [K,N,P,Q], with stride and dilation swapped. */
function conv2dBackpropFilter(x: Value, dy: Value, filterShape: readonly number[], a: ConvAttrs): Value {
  const last = a.dataFormat === 'NCHW';
  const input = last ? toChannelsLast(x) : x;
  const gradient = last ? toChannelsLast(dy) : dy;
  const i = convInfo(input.shape, filterShape, channelsLast(a));
  if (isTiling(i)) {
    return reshape(matMul(toPatches(input, i), outputMatrix(gradient, i), { transposeA: true }), filterShape);
  }
  const product = filterCorrelation(transpose(input, [3, 0, 1, 2]), transpose(gradient, [3, 0, 1, 2]), i, 1);
  return transpose(product, [2, 3, 0, 1]); // [C,K,R,S] → [R,S,C,K]
}

/** Correlates images [A,G·N,H,W] with gradients [B,N,P,Q]; the result is cut to the filter's R×S. */
function filterCorrelation(images: Value, gradients: Value, i: Info, group: number): Value {
  const { strides, dilations, pads } = windowAttributes(i);
  const span = [i.outHeight, i.outWidth].map((n, k) => (n - 1) * strides[k]! + 1);
  const size = [0, 1].map((k) => {
    const padded = images.shape[2 + k]! + pads[k]! + pads[2 + k]!;
    return Math.floor((padded - span[k]!) / dilations[k]!) + 1;
  });
  const shape = [images.shape[0]!, gradients.shape[0]!, ...size];
  const attributes = { strides: dilations, dilations: strides, pads, group };
  const full = convolve(images, gradients, shape, attributes);
  return slice(full, [
    { axis: 2, start: 0, end: i.filterHeight },
    { axis: 3, start: 0, end: i.filterWidth },
  ]);
}

/** [R,S,C,M] → [C·M,1,R,S], the grouped form of a depthwise filter. */
const groupedFilter = (filter: Value): Value => {
  const [r, s, c, m] = filter.shape as [number, number, number, number];
  return reshape(transpose(filter, [2, 3, 0, 1]), [c * m, 1, r, s]);
};

function depthwiseConv2d(x: Value, filter: Value, a: ConvAttrs, native: boolean): Value {
  const i = convInfo(x.shape, filter.shape, a, true);
  if (native && isNativeDepthwise(i)) return nativeDepthwise(x, filter, i);
  const shape = [i.batchSize, i.outChannels, i.outHeight, i.outWidth];
  const attributes = { ...windowAttributes(i), group: i.inChannels };
  return toChannelsLast(convolve(toChannelsFirst(x), groupedFilter(filter), shape, attributes));
}

function depthwiseBackpropInput(
  dy: Value,
  filter: Value,
  inputShape: readonly number[],
  a: ConvAttrs,
  native: boolean,
): Value {
  const i = convInfo(inputShape, filter.shape, a, true);
  if (native && isNativeDepthwise(i)) return nativeDepthwiseInputGradient(dy, filter, i);
  return inputGradient(dy, groupedFilter(filter), i, i.inChannels);
}

function depthwiseBackpropFilter(
  x: Value,
  dy: Value,
  filterShape: readonly number[],
  a: ConvAttrs,
  native: boolean,
): Value {
  const i = convInfo(x.shape, filterShape, a, true);
  if (native && isNativeDepthwise(i)) return nativeDepthwiseFilterGradient(x, dy, i);
  const [r, s, c, m] = filterShape as [number, number, number, number];
  const images = reshape(transpose(x, [3, 0, 1, 2]), [1, c * i.batchSize, i.inHeight, i.inWidth]);
  const gradients = transpose(dy, [3, 0, 1, 2]); // [C·M,N,P,Q]
  const product = filterCorrelation(images, gradients, i, c); // [1,C·M,R,S]
  return transpose(reshape(product, [c, m, r, s]), [2, 3, 0, 1]);
}

interface FusedAttrs extends ConvAttrs {
  activation?: string;
  leakyreluAlpha?: number;
}
type FusedInputs = 'x' | 'filter' | 'bias' | 'preluActivationWeights';

/** Adds the bias per channel and applies the activation, in either layout. */
function finish(y: Value, bias: Value | undefined, prelu: Value | undefined, a: FusedAttrs): Value {
  const perChannel = (v: Value | undefined): Value | undefined =>
    v && a.dataFormat === 'NCHW' && sizeOf(v.shape) > 1 && v.shape.length <= 1
      ? reshape(v, [v.shape[0]!, 1, 1])
      : v;
  return activate(bias ? add(y, perChannel(bias)!) : y, a.activation, a.leakyreluAlpha, perChannel(prelu));
}

export const convKernels: KernelDefinition[] = [
  define<'x' | 'filter', ConvAttrs>('Conv2D', ({ x, filter }, a) => conv2d(x, filter, a)),
  define<'dy' | 'filter', ConvAttrs & { inputShape: number[] }>('Conv2DBackpropInput', ({ dy, filter }, a) =>
    conv2dBackpropInput(dy, filter, a.inputShape, a),
  ),
  define<'x' | 'dy', ConvAttrs & { filterShape: number[] }>('Conv2DBackpropFilter', ({ x, dy }, a) =>
    conv2dBackpropFilter(x, dy, a.filterShape, a),
  ),
  define<'x' | 'filter', ConvAttrs>('DepthwiseConv2dNative', ({ x, filter }, a, { recordsNative }) =>
    depthwiseConv2d(x, filter, a, recordsNative),
  ),
  define<'dy' | 'filter', ConvAttrs & { inputShape: number[] }>(
    'DepthwiseConv2dNativeBackpropInput',
    ({ dy, filter }, a, { recordsNative }) =>
      depthwiseBackpropInput(dy, filter, a.inputShape, a, recordsNative),
  ),
  define<'x' | 'dy', ConvAttrs & { filterShape: number[] }>(
    'DepthwiseConv2dNativeBackpropFilter',
    ({ x, dy }, a, { recordsNative }) => depthwiseBackpropFilter(x, dy, a.filterShape, a, recordsNative),
  ),
  define<FusedInputs, FusedAttrs>('FusedConv2D', ({ x, filter, bias, preluActivationWeights }, a) =>
    finish(conv2d(x, filter, a), bias, preluActivationWeights, a),
  ),
  define<FusedInputs, FusedAttrs>(
    'FusedDepthwiseConv2D',
    ({ x, filter, bias, preluActivationWeights }, a, { recordsNative }) =>
      finish(depthwiseConv2d(x, filter, a, recordsNative), bias, preluActivationWeights, a),
  ),
];

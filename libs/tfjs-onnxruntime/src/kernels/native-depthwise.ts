/**
 * Convolutions of each channel by itself as nodes of the native addon, which works in channels last, as TensorFlow.js does:
 * ONNX's Conv needs channels first, and a transposed copy of every operand and result with it.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { reshape } from '../graph/layout.js';
import { node, type Value } from '../graph/value.js';

type Info = tf.backend_util.Conv2DInfo;

/** The addon's limit of taps. */
const MAX_TAPS = 64;

/** Whether the addon computes such convolutions: one filter for each channel, channels last. */
export const isNativeDepthwise = (i: Info): boolean =>
  i.dataFormat === 'channelsLast' &&
  i.outChannels === i.inChannels &&
  i.filterHeight * i.filterWidth <= MAX_TAPS;

function record(op: string, i: Info, inputs: Value[], shape: number[], size: [number, number]): Value {
  const attributes = {
    stride_height: i.strideHeight,
    stride_width: i.strideWidth,
    pad_top: i.padInfo.top,
    pad_left: i.padInfo.left,
    dilation_height: i.dilationHeight,
    dilation_width: i.dilationWidth,
    height: size[0],
    width: size[1],
  };
  return node(op, inputs, attributes, [{ type: 'float32', shape }], 'ort.native')[0]!;
}

/** [R,S,C,1] → [R,S,C] */
const perChannel = (filter: Value): Value => reshape(filter, filter.shape.slice(0, 3));

export function nativeDepthwise(x: Value, filter: Value, i: Info): Value {
  const shape = [i.batchSize, i.outHeight, i.outWidth, i.outChannels];
  return record('DepthwiseConv', i, [x, perChannel(filter)], shape, [i.outHeight, i.outWidth]);
}

export function nativeDepthwiseInputGradient(dy: Value, filter: Value, i: Info): Value {
  const shape = [i.batchSize, i.inHeight, i.inWidth, i.inChannels];
  return record('DepthwiseConvInputGradient', i, [dy, perChannel(filter)], shape, [i.inHeight, i.inWidth]);
}

export function nativeDepthwiseFilterGradient(x: Value, dy: Value, i: Info): Value {
  const size: [number, number] = [i.filterHeight, i.filterWidth];
  const shape = [...size, i.inChannels];
  return reshape(record('DepthwiseConvFilterGradient', i, [x, dy], shape, size), [...shape, 1]);
}

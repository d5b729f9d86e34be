/** Convolutions and pooling against tfjs's own cpu backend: values and, where a function is differentiable, gradients. */
import * as tf from '@tensorflow/tfjs-core';
import { agreesWithCpu, type Case } from '../../test/cpu-parity.js';

const conv = (
  xs: number[],
  fs: number[],
  stride: number | [number, number],
  pad: 'same' | 'valid' | number,
  d = 1,
): Case => ({
  shapes: [xs, fs],
  f: (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad, 'NHWC', d),
});
const depthwise = (
  xs: number[],
  fs: number[],
  stride: number,
  pad: 'same' | 'valid' | number,
  d = 1,
): Case => ({
  shapes: [xs, fs],
  f: (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad, 'NHWC', d),
});
agreesWithCpu('convolutions and pooling', {
  'conv 3×3 same': conv([2, 5, 6, 3], [3, 3, 3, 4], 1, 'same'),
  'conv 3×3 stride 2 same': conv([2, 7, 6, 3], [3, 3, 3, 4], 2, 'same'),
  'conv 2×3 stride (2,1) valid': conv([1, 6, 7, 2], [2, 3, 2, 3], [2, 1], 'valid'),
  'conv with explicit padding and leftover rows': conv([1, 8, 8, 2], [3, 3, 2, 2], 3, 1),
  'conv 1×1': conv([2, 4, 4, 3], [1, 1, 3, 5], 1, 'same'),
  'patch embedding': conv([2, 8, 8, 3], [4, 4, 3, 5], 4, 'valid'),
  'dilated conv': { ...conv([1, 7, 7, 2], [3, 3, 2, 3], 1, 'same', 2), grad: false },
  'depthwise 3×3 same': depthwise([2, 5, 6, 3], [3, 3, 3, 2], 1, 'same'),
  'depthwise 3×3 stride 2': depthwise([2, 6, 6, 4], [3, 3, 4, 1], 2, 1),
  'transposed conv': {
    shapes: [
      [2, 3, 3, 4],
      [3, 3, 2, 4],
    ],
    grad: true,
    f: (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 6, 6, 2], 2, 'same'),
  },
  'max pool 3×3 stride 2 same': {
    shapes: [[2, 6, 5, 3]],
    f: (x) => tf.maxPool(x as tf.Tensor4D, 3, 2, 'same'),
  },
  'max pool 2×2 valid': { shapes: [[2, 5, 4, 3]], f: (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid') },
  'average pool 3×3 same': {
    shapes: [[2, 5, 5, 3]],
    grad: false, // the cpu backend divides border windows by the whole window
    f: (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same'),
  },
  'average pool 2×2 valid': {
    shapes: [[2, 5, 4, 3]],
    f: (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'),
  },
});

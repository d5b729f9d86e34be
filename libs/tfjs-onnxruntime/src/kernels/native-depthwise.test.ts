/** Convolutions of each channel by itself in the native addon against ONNX Runtime's own: values and both gradients. */
import * as tf from '@tensorflow/tfjs-core';
import {
  agreesWithComposedOps,
  gradients,
  numbers,
  type NativeCase,
  type Tensors,
} from '../../test/native-cases.js';

type Sizes = [number, number, number, number];
interface Options {
  stride?: number | [number, number];
  pad?: 'same' | 'valid' | number;
  dilation?: number;
  x?: ReturnType<typeof numbers>;
}

function depthwise(
  shape: Sizes,
  [R, S]: [number, number],
  { stride = 1, pad = 'same', dilation = 1, x = numbers(shape, 1) }: Options = {},
): NativeCase {
  const C = shape[3];
  const info = tf.backend_util.computeConv2DInfo(shape, [R, S, C, 1], stride, dilation, pad, undefined, true);
  const inputs = { x, filter: numbers([R, S, C, 1], 2), weight: numbers(info.outShape, 3) };
  const forward = (t: Tensors): tf.Tensor =>
    tf.depthwiseConv2d(t.x as tf.Tensor4D, t.filter as tf.Tensor4D, stride, pad, 'NHWC', dilation);
  return {
    inputs,
    f: (t) => ({ y: forward(t), ...gradients(forward, t, ['x', 'filter'], t.weight!) }),
    results: { y: info.outShape, d_x: shape, d_filter: [R, S, C, 1] },
  };
}

function withNaN(shape: Sizes): ReturnType<typeof numbers> {
  const tensor = numbers(shape, 1);
  tensor.data[11] = NaN;
  return tensor;
}

agreesWithComposedOps('depthwise convolutions of the native addon', {
  '3×3 over whole vectors of channels': depthwise([2, 6, 5, 32], [3, 3]),
  '3×3 over channels with a tail': depthwise([2, 5, 7, 37], [3, 3]),
  '3×3 over one channel': depthwise([1, 4, 4, 1], [3, 3]),
  '3×3 over many rows': depthwise([6, 40, 40, 48], [3, 3]),
  'stride 2, more padding behind than before': depthwise([2, 8, 6, 16], [3, 3], { stride: 2 }),
  'stride 2 with rows that nothing reads': depthwise([2, 8, 8, 20], [3, 3], { stride: 2, pad: 'valid' }),
  'different strides': depthwise([1, 9, 7, 18], [3, 3], { stride: [2, 1] }),
  'a stride beyond the filter': depthwise([1, 9, 9, 16], [2, 2], { stride: 4, pad: 'valid' }),
  '7×7 on an image smaller than the filter': depthwise([2, 4, 3, 33], [7, 7]),
  '2×5': depthwise([1, 6, 9, 17], [2, 5]),
  'padding wider than the reach of some columns': depthwise([1, 3, 2, 16], [5, 5], { pad: 3 }),
  'NaN in one cell': depthwise([2, 5, 5, 18], [3, 3], { x: withNaN([2, 5, 5, 18]) }),
  'no images': depthwise([0, 5, 5, 8], [3, 3]),
});

/** Kernels that move elements against tfjs's own cpu backend: values and, where a function is differentiable, gradients. */
import * as tf from '@tensorflow/tfjs-core';
import { agreesWithCpu } from '../../test/cpu-parity.js';

agreesWithCpu('kernels that move elements', {
  'reshape, transpose, expand, squeeze': {
    shapes: [[2, 3, 4]],
    f: (x) => [
      tf.reshape(tf.transpose(x, [2, 0, 1]), [4, -1]),
      tf.transpose(tf.reshape(x, [6, 4])),
      tf.squeeze(tf.expandDims(x, 1)),
      tf.transpose(tf.transpose(x, [1, 0, 2]), [2, 1, 0]),
    ],
  },
  'slices, split, stack, unstack, concat': {
    shapes: [
      [4, 6],
      [4, 2],
    ],
    f: (x, y) => [
      tf.slice(x, [1, 2], [2, 3]),
      ...tf.split(x, 3, 1),
      ...tf.split(x, [1, 2, 3], 1),
      tf.concat([x, y], 1),
      tf.stack([x, x], 1),
      ...tf.unstack(y, 1),
      tf.reverse(x, 1),
    ],
  },
  'strided slice': {
    shapes: [[4, 6]],
    grad: false,
    f: (x) => [
      tf.stridedSlice(x, [0, 1], [4, 6], [2, 2]),
      tf.stridedSlice(x, [3, 5], [0, 0], [-1, -2]),
      tf.stridedSlice(x, [0, 0], [0, 0], [1, -1], 3, 3),
    ],
  },
  'padding and tiling': {
    shapes: [[2, 3]],
    f: (x) => [
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
      tf.tile(x, [2, 3]),
      tf.broadcastTo(tf.reshape(x, [2, 1, 3]), [2, 4, 3]),
      tf.mirrorPad(
        x,
        [
          [1, 0],
          [1, 2],
        ],
        'reflect',
      ),
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [3, 1],
        ],
        'symmetric',
      ),
    ],
  },
  filling: {
    shapes: [],
    grad: false,
    f: () => [
      tf.zeros([2, 2], 'int32'),
      tf.fill([3], 2.5),
      tf.range(0, 7, 2),
      tf.range(5, 0, -2, 'int32'),
      tf.linspace(0, 1, 5),
      tf.oneHot(tf.tensor1d([0, 2, 5], 'int32'), 4),
      tf.eye(3),
    ],
  },
  gather: {
    shapes: [[5, 3]],
    f: (x) => [
      tf.gather(x, tf.tensor2d([4, 0, 0, 2], [2, 2], 'int32')),
      tf.gather(x, tf.tensor1d([2, 2, 1], 'int32'), 1),
    ],
  },
  'gather and scatter by coordinates': {
    shapes: [[3, 2]],
    grad: false,
    f: (x) => [
      tf.gatherND(x, tf.tensor2d([0, 1, 2, 0], [2, 2], 'int32')),
      tf.scatterND(tf.tensor2d([4, 1, 4], [3, 1], 'int32'), x, [5, 2]),
      tf.unsortedSegmentSum(x, tf.tensor1d([1, 0, 1], 'int32'), 3),
      tf.gather(x, tf.tensor2d([1, 0, 0, 1, 1, 1], [3, 2], 'int32'), 1, 1),
      tf.tensorScatterUpdate(x, tf.tensor2d([1], [1, 1], 'int32'), tf.ones([1, 2])),
    ],
  },
  'space to batch and back': {
    shapes: [[1, 4, 6, 2]],
    f: (x) => [
      tf.spaceToBatchND(
        x,
        [2, 2],
        [
          [0, 0],
          [1, 1],
        ],
      ),
    ],
  },
  'depth to space': { shapes: [[1, 2, 2, 8]], grad: false, f: (x) => tf.depthToSpace(x as tf.Tensor4D, 2) },
});

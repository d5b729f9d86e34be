/** Every kernel family against tfjs's own cpu backend: values and, where a function is differentiable, gradients. */
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { afterAll, describe, expect, it } from 'vitest';
import '../index.js';

type T = tf.Tensor;
interface Case {
  shapes: number[][];
  f: (...x: T[]) => T | T[];
  positive?: boolean;
  /** false: values only */
  grad?: boolean;
}

/** The same pseudo-random numbers on every backend, in (−2, 2) or (0.1, 2). */
function numbers(size: number, salt: number, positive: boolean): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => {
    const u = Math.abs(Math.sin((i + 1) * 12.9898 + salt * 78.233) * 43758.5453) % 1;
    return positive ? 0.1 + 1.9 * u : 4 * u - 2;
  });
}

function evaluate(backend: string, { shapes, f, positive = false, grad = true }: Case): number[][] {
  void tf.setBackend(backend);
  return tf.tidy(() => {
    const x = shapes.map((shape, i) => tf.tensor(numbers(tf.util.sizeFromShape(shape), i, positive), shape));
    const y = [f(...x)].flat();
    const results = y.map((t) => [...t.shape, ...t.dataSync()]);
    if (grad) {
      const weighted = (...args: T[]): tf.Scalar => {
        const outputs = [f(...args)].flat();
        const sums = outputs.map((t, i) =>
          tf.sum(tf.mul(t, tf.tensor(numbers(t.size, 9 + i, false), t.shape))),
        );
        return tf.addN(sums) as tf.Scalar;
      };
      for (const g of tf.grads(weighted)(x)) results.push([...g.shape, ...g.dataSync()]);
    }
    return results;
  });
}

const M: Record<string, Case> = {
  'add with broadcast': { shapes: [[2, 3], [3]], f: (a, b) => tf.add(a, b) },
  'sub and mul with broadcast': {
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    f: (a, b) => tf.mul(tf.sub(a, b), b),
  },
  div: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    f: (a, b) => tf.div(a, b),
    positive: true,
  },
  'pow, max, min': {
    shapes: [[5], [5]],
    positive: true,
    f: (a, b) => tf.add(tf.pow(a, b), tf.mul(tf.maximum(a, b), tf.minimum(a, b))),
  },
  'squared difference and atan2': {
    shapes: [[6], [6]],
    f: (a, b) => tf.add(tf.squaredDifference(a, b), tf.atan2(a, b)),
  },
  'mod and floorDiv': { shapes: [[7], [7]], f: (a, b) => [tf.mod(a, b), tf.floorDiv(a, b)], grad: false },
  'integer division': {
    shapes: [],
    grad: false,
    f: () => {
      const a = tf.tensor1d([-7, 7, -8], 'int32');
      const b = tf.tensor1d([2, 2, 3], 'int32');
      return [tf.floorDiv(a, b), tf.mod(a, b), tf.add(a, b), tf.div(a, b)];
    },
  },
  'smooth functions': {
    shapes: [[9]],
    f: (x) => [tf.exp(x), tf.tanh(x), tf.sigmoid(x), tf.sin(x), tf.cos(x), tf.erf(x), tf.softplus(x)],
  },
  'functions of positive numbers': {
    shapes: [[9]],
    positive: true,
    f: (x) => [tf.log(x), tf.sqrt(x), tf.rsqrt(x), tf.reciprocal(x), tf.log1p(x), tf.expm1(x)],
  },
  'piecewise functions': {
    shapes: [[9]],
    f: (x) => [
      tf.relu(x),
      tf.relu6(x),
      tf.elu(x),
      tf.selu(x),
      tf.leakyRelu(x, 0.1),
      tf.abs(x),
      tf.clipByValue(x, -1, 0.5),
      tf.prelu(x, tf.scalar(0.2)),
    ],
  },
  rounding: {
    shapes: [[9]],
    grad: false,
    f: (x) => [tf.floor(x), tf.ceil(x), tf.round(x), tf.sign(x), tf.step(x), tf.isNaN(x), tf.isFinite(x)],
  },
  'comparison, logic, where, cast': {
    shapes: [[4, 3], [3]],
    grad: false,
    f: (a, b) => {
      const less = tf.less(a, b);
      const both = tf.logicalAnd(less, tf.notEqual(a, b));
      return [
        tf.where(both, a, tf.zerosLike(a)),
        tf.cast(tf.logicalOr(less, tf.greaterEqual(a, b)), 'int32'),
        tf.cast(tf.logicalNot(less), 'float32'),
        tf.cast(a, 'int32'),
        tf.cast(a, 'bool'),
        tf.equal(a, a),
        tf.greater(a, b),
        tf.lessEqual(a, b),
        tf.logicalXor(less, both),
      ];
    },
  },
  reductions: {
    shapes: [[2, 3, 4]],
    f: (x) => [tf.sum(x, 1), tf.mean(x, [0, 2], true), tf.max(x, -1), tf.min(x, 0), tf.sum(x)],
  },
  'product, all, any, arg max': {
    shapes: [[2, 3]],
    grad: false,
    f: (x) => [
      tf.prod(x, 1),
      tf.all(tf.greater(x, 0), 1),
      tf.any(tf.greater(x, 0)),
      tf.argMax(x, 1),
      tf.argMin(x, 0),
    ],
  },
  'cumulative sum': { shapes: [[2, 5]], f: (x) => tf.cumsum(x, 1, true, true) },
  'softmax and log softmax': {
    shapes: [[2, 5]],
    f: (x) => [tf.softmax(x), tf.logSoftmax(x), tf.logSumExp(x, 1)],
  },
  'matrix products with every transposition': {
    shapes: [
      [3, 4],
      [4, 5],
    ],
    f: (a, b) => [
      tf.matMul(a, b),
      tf.matMul(tf.transpose(a), b, true),
      tf.matMul(a, tf.transpose(b), false, true),
      tf.matMul(tf.transpose(a), tf.transpose(b), true, true),
    ],
  },
  'products over many rows, with results wider than high': {
    shapes: [
      [1024, 64],
      [1024, 128],
      [1024, 512],
    ],
    grad: false, // another product of the same kind
    // Sums of 1024 terms, brought to the size of one.
    f: (a, wide, veryWide) => [wide, veryWide].map((b) => tf.mul(tf.matMul(a, b, true), 1 / 32)),
  },
  'batched products': {
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    f: (a, b) => [tf.matMul(a, b), tf.matMul(a, a, true, false), tf.matMul(a, a, false, true)],
  },
  'products with a shared matrix': {
    shapes: [
      [2, 2, 3, 4],
      [1, 1, 4, 5],
    ],
    grad: false, // tfjs-core does not sum the gradient of the shared matrix
    f: (a, b) => tf.matMul(a, b),
  },
  'fused product': {
    shapes: [[3, 4], [4, 5], [5]],
    f: (a, b, bias) => tf.fused.matMul({ a: a, b: b, bias: bias, activation: 'relu' }),
  },
  einsum: {
    shapes: [
      [2, 3],
      [3, 4],
    ],
    grad: false,
    f: (a, b) => tf.einsum('ij,jk->ik', a, b),
  },
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
  'top k': { shapes: [[2, 6]], grad: false, f: (x) => Object.values(tf.topk(x, 3)) },
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
  'batch norm': {
    shapes: [[2, 3, 3, 4], [4], [4], [4], [4]],
    positive: true,
    f: (x, m, v, o, s) => tf.batchNorm(x, m, v, o, s),
  },
};

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
Object.assign(M, {
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
    f: (x: T) => tf.maxPool(x as tf.Tensor4D, 3, 2, 'same'),
  },
  'max pool 2×2 valid': { shapes: [[2, 5, 4, 3]], f: (x: T) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid') },
  'average pool 3×3 same': {
    shapes: [[2, 5, 5, 3]],
    grad: false, // the cpu backend divides border windows by the whole window
    f: (x: T) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same'),
  },
  'average pool 2×2 valid': {
    shapes: [[2, 5, 4, 3]],
    f: (x: T) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'),
  },
} satisfies Record<string, Case>);

describe('kernels agree with the cpu backend', () => {
  afterAll(() => {
    void tf.setBackend('onnxruntime');
  });
  for (const [name, testCase] of Object.entries(M)) {
    it(name, () => {
      const expected = evaluate('cpu', testCase);
      const found = evaluate('onnxruntime', testCase);
      expect(found.length).toBe(expected.length);
      found.forEach((values, i) => {
        expect(values.length).toBe(expected[i]!.length);
        const worst = Math.max(
          0,
          ...values.map((v, k) => {
            const e = expected[i]![k]!;
            if (Object.is(v, e) || (Number.isNaN(v) && Number.isNaN(e))) return 0;
            return Math.abs(v - e) / Math.max(1, Math.abs(e));
          }),
        );
        expect(worst, `result ${i}`).toBeLessThan(2e-5);
      });
    });
  }
});

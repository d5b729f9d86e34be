/** Elementwise kernels and reductions against tfjs's own cpu backend: values and, where a function is differentiable, gradients. */
import * as tf from '@tensorflow/tfjs-core';
import { agreesWithCpu } from '../../test/cpu-parity.js';

agreesWithCpu('elementwise kernels and reductions', {
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
  'top k': { shapes: [[2, 6]], grad: false, f: (x) => Object.values(tf.topk(x, 3)) },
  'batch norm': {
    shapes: [[2, 3, 3, 4], [4], [4], [4], [4]],
    positive: true,
    f: (x, m, v, o, s) => tf.batchNorm(x, m, v, o, s),
  },
});

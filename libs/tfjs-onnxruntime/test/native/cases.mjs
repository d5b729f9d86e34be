/** A random case of each op of the native addon: operands, shapes of results, attributes, and what to expect where a reference has it. */
import { integer, oneOf, size, tensor } from './random.mjs';
import * as reference from './reference.mjs';

/** @typedef {import('./random.mjs').Tensor} Tensor */

/**
 * @typedef {object} Case
 * @property {string} op
 * @property {Tensor[]} inputs
 * @property {number[][]} outputs
 * @property {Record<string, import('../../dist/graph/value.js').AttributeValue>} [attributes]
 * @property {(inputs: Float32Array[]) => ArrayLike<number>[]} [expected]
 */

/** @type {((wild: boolean) => Case)[]} */
export const CASES = [
  (wild) => {
    const [N, D] = [size(3000), size()];
    const [dy, x, gamma] = [tensor([N, D], wild), tensor([N, D], wild), tensor([D], wild)];
    const rows = D === 0 ? integer(0, 3) : N;
    return {
      op: 'LayerNormGradient',
      inputs: [dy, x, gamma, tensor([rows, 1], wild), tensor([rows, 1], wild, true)],
      outputs: [[N, D], [D], [D]],
      expected: (inputs) => reference.layerNormGradient(inputs, N, D),
    };
  },
  (wild) => {
    const [N, D] = [size(3000), size()];
    const inputs = [tensor([N, D], wild), tensor([N, D], wild), tensor([D], wild), tensor([D], wild)];
    return {
      op: 'AddLayerNorm',
      inputs,
      outputs: [
        [N, D],
        [N, D],
        [N, 1],
        [N, 1],
      ],
      attributes: { epsilon: { float: 1e-5 } },
    };
  },
  ...['BiasGelu', 'BiasQuickGelu'].flatMap((op) => [
    (/** @type {boolean} */ wild) => {
      const [N, D] = [size(3000), size()];
      return {
        op,
        inputs: [tensor([N, D], wild), tensor([D], wild)],
        outputs: [[N, D]],
        expected: (/** @type {Float32Array[]} */ inputs) => reference.activation(op, inputs),
      };
    },
    (/** @type {boolean} */ wild) => {
      const [N, D] = [size(3000), size()];
      return {
        op: `${op}Gradient`,
        inputs: [tensor([N, D], wild), tensor([N, D], wild), tensor([D], wild)],
        outputs: [[N, D], [D]],
        expected: (/** @type {Float32Array[]} */ inputs) => reference.activationGradient(op, inputs),
      };
    },
  ]),
  (wild) => {
    const [N, D, highest] = [size(3000), size(), oneOf([1, 6, Infinity])];
    return {
      op: 'BiasRectify',
      inputs: [tensor([N, D], wild), tensor([D], wild)],
      outputs: [[N, D]],
      attributes: { highest: { float: highest } },
      expected: (inputs) => reference.rectify(inputs, highest),
    };
  },
  (wild) => {
    const [N, D, highest] = [size(3000), size(), oneOf([1, 6, Infinity])];
    return {
      op: 'RectifierGradient',
      inputs: [tensor([N, D], wild), tensor([N, D], wild)],
      outputs: [[N, D], [D]],
      attributes: { highest: { float: highest } },
      expected: (inputs) => reference.rectifierGradient(inputs, D, highest),
    };
  },
  (wild) => {
    const [N, D] = [size(3000), size()];
    return {
      op: 'SoftmaxGradient',
      inputs: [tensor([N, D], wild, true), tensor([N, D], wild)],
      outputs: [[N, D]],
      expected: (inputs) => reference.softmaxGradient(inputs, D),
    };
  },
  (wild) => {
    const [K, M, N] = [size(3000), size(), size()];
    return {
      op: 'TransposedGemm',
      inputs: [tensor([K, M], wild), tensor([K, N], wild)],
      outputs: [[M, N]],
      attributes: { alpha: { float: 0.5 } },
      expected: (inputs) => reference.transposedProduct(inputs, { K, M, N }, 0.5),
    };
  },
  ...['DepthwiseConv', 'DepthwiseConvInputGradient', 'DepthwiseConvFilterGradient'].map(
    (op) => (/** @type {boolean} */ wild) => {
      const [N, H, W, C] = [size(4) % 5, size(20) % 24, size(20) % 24, size(40) % 48];
      const [R, S] = [integer(1, 5), integer(1, 5)];
      const [stride, dilation] = [integer(1, 3), integer(1, 2)];
      const pad = integer(0, 4);
      const results = (/** @type {number} */ n, /** @type {number} */ taps) =>
        Math.max(0, Math.floor((n + 2 * pad - (taps - 1) * dilation - 1) / stride) + 1);
      const [P, Q] = [results(H, R), results(W, S)];
      const geometry = { N, H, W, C, R, S, P, Q, stride, dilation, pad };
      const [x, y, filter] = [
        [N, H, W, C],
        [N, P, Q, C],
        [R, S, C],
      ];
      const [operands, result] =
        op === 'DepthwiseConv'
          ? [[x, filter], y]
          : op === 'DepthwiseConvInputGradient'
            ? [[y, filter], x]
            : [[x, y], filter];
      return {
        op,
        inputs: operands.map((shape) => tensor(/** @type {number[]} */ (shape), wild)),
        outputs: [/** @type {number[]} */ (result)],
        attributes: {
          ...{
            stride_height: stride,
            pad_top: pad,
            dilation_height: dilation,
            height: result[op.endsWith('FilterGradient') ? 0 : 1],
          },
          ...{
            stride_width: stride,
            pad_left: pad,
            dilation_width: dilation,
            width: result[op.endsWith('FilterGradient') ? 1 : 2],
          },
        },
        expected: (/** @type {Float32Array[]} */ inputs) => reference.depthwise(op, inputs, geometry),
      };
    },
  ),
  (wild) => {
    const inputs = Array.from({ length: integer(1, 9) }, () => tensor([size(), size(2000)], wild));
    return {
      op: 'SumOfSquares',
      inputs,
      outputs: [[]],
      attributes: { inputs: inputs.length },
      expected: reference.sumOfSquares,
    };
  },
  (wild) => {
    const n = oneOf([size(), integer(1, 70_000)]);
    const scalars = [0.01, 0.5, 1.5, 2].map((x) => ({ shape: [], data: Float32Array.of(x) }));
    return {
      op: 'AdamW',
      inputs: [tensor([n], wild), tensor([n], wild), tensor([n], wild, true), tensor([n], wild), ...scalars],
      outputs: [[]],
      attributes: Object.fromEntries(
        Object.entries({
          beta1: 0.9,
          one_minus_beta1: 0.1,
          beta2: 0.99,
          one_minus_beta2: 0.01,
          epsilon: 1e-8,
          weight_decay: 0.1,
        }).map(([name, float]) => [name, { float }]),
      ),
    };
  },
];

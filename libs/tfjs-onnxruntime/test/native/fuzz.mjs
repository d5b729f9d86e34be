/**
 * Ops of the native addon on random shapes and numbers, for as many seconds as it is told: empty tensors, single rows and columns, odd
 * widths, arrays that lie anywhere, NaN and infinities, shapes that do not fit. Results with four threads are those with one, bit
 * for bit, and near to sums in double precision.
 *   node libs/tfjs-onnxruntime/test/native/fuzz.mjs SECONDS [SEED]
 */
import assert from 'node:assert/strict';
import { loadNative } from 'ort-native';
import { order } from '../../dist/graph/order.js';
import { node, placeholder } from '../../dist/graph/value.js';
import { encodeModel } from '../../dist/onnx/encode.js';
import { modelMessage } from '../../dist/onnx/model.js';
import * as reference from './reference.mjs';

const [seconds = '10', seed = String(Date.now() % 1e9)] = process.argv.slice(2);
const runtime = loadNative().runtime ?? assert.fail('the native addon has not been built');

let random = Number(seed) >>> 0;
/** In [0, 1); mulberry32. */
function next() {
  random = (random + 0x6d2b79f5) >>> 0;
  let t = Math.imul(random ^ (random >>> 15), 1 | random);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
/** @param {number} from @param {number} to both included */
const integer = (from, to) => from + Math.floor(next() * (to - from + 1));
/** @template T @param {readonly T[]} values @returns {T} */
const oneOf = (values) => /** @type {T} */ (values[integer(0, values.length - 1)]);
/** A size: often one at which something ends, now and then a large one. */
const size = (most = 300) => oneOf([0, 1, 1, 2, 3, 15, 16, 17, 31, 33, integer(1, 70), integer(1, most)]);

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0, 1e-42, 3e38, -3e38];
/** @typedef {{ shape: number[], data: Float32Array }} Tensor */

/** Numbers at any place of a buffer that a float32 may have. @param {number[]} shape @param {boolean} wild @returns {Tensor} */
function tensor(shape, wild, positive = false) {
  const length = shape.reduce((n, d) => n * d, 1);
  const data = new Float32Array(length + 8).subarray(integer(0, 8)).subarray(0, length);
  for (let i = 0; i < length; i++) data[i] = positive ? 0.1 + next() : 6 * next() - 3;
  if (wild)
    for (let n = integer(1, 3); n > 0 && length > 0; n--) data[integer(0, length - 1)] = oneOf(SPECIAL);
  return { shape, data };
}

/**
 * @typedef {object} Case
 * @property {string} op
 * @property {Tensor[]} inputs
 * @property {number[][]} outputs
 * @property {Record<string, import('../../dist/graph/value.js').AttributeValue>} [attributes]
 * @property {(inputs: Float32Array[]) => ArrayLike<number>[]} [expected]
 */

/** @type {((wild: boolean) => Case)[]} */
const CASES = [
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

/** One op as a model. @param {Case} given */
function model({ op, inputs, outputs, attributes = {} }) {
  const operands = inputs.map(({ shape }, i) => placeholder(`x${i}`, 'float32', shape));
  const specs = outputs.map((shape) => ({ type: /** @type {const} */ ('float32'), shape }));
  const values = node(op, operands, attributes, specs, 'ort.native');
  const named = values.map((value, i) => ({ name: `y${i}`, value }));
  const names = new Map(operands.map((value, i) => [value, `x${i}`]));
  return encodeModel(modelMessage(order(values), { inputs: names, outputs: named }).message);
}

/** What the op writes, and what it leaves in its inputs. @param {Case} given @param {number} threads @returns {Float32Array[]} */
function run(given, threads) {
  const options = {
    threads,
    optimization: /** @type {const} */ (0),
    spinning: false,
    profile: '',
    external: [],
  };
  const session = runtime.createSession(model(given), options);
  try {
    const inputs = given.inputs.map(({ shape, data }, i) => ({
      ...{ name: `x${i}`, type: /** @type {const} */ (1), shape, data },
    }));
    const results = runtime.run(
      session,
      inputs,
      given.outputs.map((_, i) => ({ name: `y${i}` })),
    );
    const written = results.map(
      (result) => new Float32Array(/** @type {{ buffer: ArrayBuffer }} */ (result).buffer),
    );
    return [...written, ...given.inputs.map(({ data }) => data.slice())];
  } finally {
    runtime.release(session);
  }
}

/** A new array in the same place as the old one. @param {Case} given @returns {Case} */
const copied = (given) => ({
  ...given,
  inputs: given.inputs.map(({ shape, data }) => {
    const copy = new Float32Array(data.length + 8).subarray(integer(0, 8)).subarray(0, data.length);
    copy.set(data);
    return { shape, data: copy };
  }),
});

/** @param {Float32Array} array */
const bytes = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Relative to the number, or to how large the terms of its sum may have been. */
const TOLERANCE = 1e-4;

/** @param {Float32Array} found @param {ArrayLike<number>} expected @param {number} largest @param {string} what */
function assertNear(found, expected, largest, what) {
  assert.equal(found.length, expected.length, what);
  for (let i = 0; i < found.length; i++) {
    const [x, e] = [found[i] ?? NaN, expected[i] ?? NaN];
    if (Math.abs(x - e) <= TOLERANCE * Math.max(largest, Math.abs(e))) continue;
    assert.fail(`${what}: element ${i} is ${x}, not ${e}`);
  }
}

let [fitting, misfits] = [0, 0];
const deadline = performance.now() + 1000 * Number(seconds);
while (performance.now() < deadline) {
  const before = random;
  const wild = next() < 0.3;
  const given = oneOf(CASES)(wild);
  const shapes = given.inputs.map(({ shape }) => `[${shape}]`).join(' ');
  const what = `${given.op} of ${shapes}, seed ${before}`;
  try {
    const [one, four] = [run(copied(given), 1), run(copied(given), 4)];
    one.forEach((array, i) =>
      assert(
        bytes(array).equals(bytes(/** @type {Float32Array} */ (four[i]))),
        `${what}: result ${i} differs with four threads`,
      ),
    );
    if (!wild && given.expected) {
      given.expected(given.inputs.map(({ data }) => data)).forEach((expected, i) => {
        const rows = (given.inputs[0]?.shape[0] ?? 1) + 1;
        assertNear(
          /** @type {Float32Array} */ (one[i]),
          expected,
          10 * Math.sqrt(rows),
          `${what}, output ${i}`,
        );
      });
    }
    fitting++;
  } catch (error) {
    console.error(what);
    throw error;
  }
  // One operand of another shape: an error, or a result where the op asks for no more than it has.
  const misfit = copied(given);
  const k = integer(0, misfit.inputs.length - 1);
  misfit.inputs[k] = tensor(
    Array.from({ length: integer(0, 4) }, () => size(40)).map((d, i) => (i > 1 ? d % 5 : d)),
    wild,
  );
  try {
    run(misfit, oneOf([1, 4]));
  } catch (error) {
    assert(error instanceof Error && error.message.length > 10, what);
    misfits++;
  }
}
console.log(`${fitting} random cases, and ${misfits} that were refused; seed ${seed}`);

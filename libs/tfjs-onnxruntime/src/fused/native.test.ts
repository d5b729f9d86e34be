/** The fused ops of the native addon against the composed ops: values, gradients, odd shapes, threads. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { loadNative } from 'ort-native';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  agreesWithComposedOps,
  closeTo,
  expectSameBits,
  gradients,
  kernel,
  numbers,
  withNaN,
  type NativeCase,
  type Tensors,
} from '../../test/native-cases.js';
import { exportOnnx, ReplayedFunction, type HostTensor, type ReplayOptions } from '../index.js';

const squares = (n: number): HostTensor => {
  const tensor = numbers([n], 3);
  return { ...tensor, data: (tensor.data as Float32Array).map((x) => x * x) };
};

function layerNormOfSum(B: number, T: number, D: number, x?: HostTensor): NativeCase {
  const inputs = {
    a: x ?? numbers([B, T, D], 1),
    b: numbers([B, T, D], 2),
    gamma: numbers([D], 3),
    beta: numbers([D], 4),
    weight: numbers([B, T, D], 5),
  };
  const forward = ({ a, b, gamma, beta }: Tensors): tf.Tensor => {
    const sum = tf.add(a!, b!);
    // The sum has another reader, as in a residual stream.
    return tf.add(kernel('FusedLayerNorm', { x: sum, gamma: gamma!, beta: beta! }, { epsilon: 1e-5 }), sum);
  };
  return {
    inputs,
    f: (t) => ({ y: forward(t), ...gradients(forward, t, ['a', 'gamma', 'beta'], t.weight!) }),
    results: { y: [B, T, D], d_a: [B, T, D], d_gamma: [D], d_beta: [D] },
  };
}

function geluOfSum(N: number, D: number, x?: HostTensor, approximate = 'none'): NativeCase {
  const inputs = { x: x ?? numbers([N, D], 1), bias: numbers([D], 2), weight: numbers([1, N, D], 3) };
  const forward = (t: Tensors): tf.Tensor =>
    kernel('FusedGelu', { x: tf.reshape(tf.add(t.x!, t.bias!), [1, N, D]) }, { approximate });
  return {
    inputs,
    f: (t) => ({ y: forward(t), ...gradients(forward, t, ['x', 'bias'], t.weight!) }),
    results: { y: [1, N, D], d_x: [N, D], d_bias: [D] },
  };
}

/** min(max(x + bias, 0), highest) between what is exactly on its corners too. */
function rectifierOfSum(N: number, D: number, highest: number, x = numbers([N, D], 1)): NativeCase {
  const inputs = { x, bias: { ...numbers([D], 2), data: new Float32Array(D) }, weight: numbers([N, D], 3) };
  inputs.bias.data[0] = 0.5;
  const forward = (t: Tensors): tf.Tensor =>
    kernel('FusedRectifier', { x: tf.add(t.x!, t.bias!) }, { highest });
  return {
    inputs,
    f: (t) => ({ y: forward(t), ...gradients(forward, t, ['x', 'bias'], t.weight!) }),
    results: { y: [N, D], d_x: [N, D], d_bias: [D] },
  };
}

/** Attention of T queries and S keys in two heads, with a learned mask for each head where there is one. */
function attention(B: number, T: number, S: number, D: number, masked = true, x?: HostTensor): NativeCase {
  const inputs = {
    query: x ?? numbers([B, T, D], 1),
    key: numbers([B, S, D], 2),
    value: numbers([B, S, D], 3),
    ...(masked && { mask: numbers([2, T, S], 4) }),
    weight: numbers([B, T, D], 5),
  };
  const names = Object.keys(inputs).filter((name) => name !== 'weight');
  const forward = ({ weight: _, ...operands }: Tensors): tf.Tensor =>
    kernel('FusedAttention', operands, { numHeads: 2, scale: 0.5 });
  return {
    inputs,
    f: (t) => ({ y: forward(t), ...gradients(forward, t, names, t.weight!) }),
    results: {
      y: [B, T, D],
      d_query: [B, T, D],
      d_key: [B, S, D],
      d_value: [B, S, D],
      ...(masked && { d_mask: [2, T, S] }),
    },
    tolerance: 1e-5,
  };
}

const native = loadNative();
const reason = native.runtime ? '' : ` (skipped: ${native.reason})`;

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

agreesWithComposedOps('the fused ops of the native addon', {
  'layer normalisation of a sum': layerNormOfSum(3, 5, 32),
  // The gradient of gamma is 0; composed ops leave what does not cancel, times 1/√ε = 316.
  'layer normalisation of one column': { ...layerNormOfSum(2, 3, 1), tolerance: 3e-4 },
  'layer normalisation of an odd width': layerNormOfSum(4, 7, 37),
  'layer normalisation of many rows': layerNormOfSum(16, 129, 384),
  'layer normalisation with NaN in one row': layerNormOfSum(2, 3, 17, withNaN([2, 3, 17])),
  'layer normalisation of no rows': layerNormOfSum(0, 3, 8),
  'GELU of a sum with a bias': geluOfSum(5, 16),
  'GELU of one number': geluOfSum(1, 1),
  'GELU of an odd width': geluOfSum(33, 67),
  'GELU of many rows': geluOfSum(2000, 130),
  'GELU far out in both tails': geluOfSum(3, 5, {
    ...numbers([3, 5], 0),
    data: Float32Array.of(-40, -15, -9, -6, -5, -4, -3, 3, 4, 5, 6, 9, 15, 40, 100),
  }),
  'GELU with NaN': geluOfSum(4, 9, withNaN([4, 9])),
  'GELU of no rows': geluOfSum(0, 9),
  'QuickGELU of an odd width': geluOfSum(33, 67, undefined, 'sigmoid'),
  'QuickGELU of many rows': geluOfSum(2000, 130, undefined, 'sigmoid'),
  'QuickGELU far out in both tails, and NaN': geluOfSum(
    3,
    5,
    {
      ...numbers([3, 5], 0),
      data: Float32Array.of(-400, -60, -50, -20, -9, -6, NaN, -3, 0, 3, 6, 20, 50, 60, 400),
    },
    'sigmoid',
  ),
  'QuickGELU of no rows': geluOfSum(0, 9, undefined, 'sigmoid'),
  'ReLU of a sum with a bias': rectifierOfSum(5, 16, Infinity),
  'ReLU6 of an odd width': rectifierOfSum(33, 67, 2),
  'ReLU6 of many rows': rectifierOfSum(3000, 96, 1.5),
  'ReLU6 at its corners': rectifierOfSum(2, 4, 6, {
    ...numbers([2, 4], 0),
    data: Float32Array.of(-0.5, 0, 6, -1, 5.5, 6.5, 3, -0),
  }),
  'ReLU6 with NaN and infinities': rectifierOfSum(3, 5, 6, {
    ...withNaN([3, 5]),
    data: Float32Array.of(1, Infinity, -Infinity, 2, NaN, 1, 2, 3, -1, 7, 8, 9, NaN, 1, 0),
  }),
  'ReLU of no rows': rectifierOfSum(0, 9, Infinity),
  'attention over an odd number of keys': attention(3, 5, 37, 12),
  'attention of one query to one key': attention(2, 1, 1, 2, false),
  'attention over many rows': attention(8, 129, 65, 32, false),
  'attention with NaN in a query': attention(2, 3, 17, 8, true, withNaN([2, 3, 8])),
});

/** One node for tensors of these sizes, of which some are computed and reshaped. */
function sumOfSquares(sizes: number[], odd?: number): NativeCase {
  const inputs = Object.fromEntries(sizes.map((n, i) => [`x${i}`, numbers([1, n], i)]));
  if (odd !== undefined) inputs.x0!.data[0] = odd;
  return {
    inputs,
    f: (t) => {
      const shaped = Object.values(t).map((x, i) => (i % 2 ? tf.reshape(tf.mul(x, 2), [-1]) : x));
      const map = Object.fromEntries(shaped.map((x, i) => [i, x]));
      return { sum: kernel('FusedSumOfSquares', map, {}) };
    },
    results: { sum: [] },
  };
}

agreesWithComposedOps('the sum of squares of the native addon', {
  'one number': sumOfSquares([1]),
  'tensors with and without tails, and empty ones': sumOfSquares([3, 0, 64, 65, 16_384, 16_385, 100_003]),
  'nothing but empty tensors': sumOfSquares([0, 0]),
  NaN: sumOfSquares([70, 5], NaN),
  infinity: sumOfSquares([70, 5], -Infinity),
});

describe.skipIf(native.runtime === undefined)(`steps with the native addon${reason}`, () => {
  it('AdamW takes the same steps as the WebAssembly kernel, for lengths with and without a tail', async () => {
    const lengths = [1, 3, 16, 16_384, 16_385, 100_003];
    const run = async (options: ReplayOptions) => {
      const state = Object.fromEntries(
        lengths.flatMap((n) => [
          [`p${n}`, numbers([n], 1)],
          [`m${n}`, numbers([n], 2)],
          [`v${n}`, squares(n)],
        ]),
      );
      const step = new ReplayedFunction(
        (s, { lr, clip, correction1, correction2 }) => ({
          state: Object.assign(
            {},
            ...lengths.map((n) => {
              const [param, m, v] = [s[`p${n}`]!, s[`m${n}`]!, s[`v${n}`]!];
              const inputs = { param, m, v, grad: tf.mul(param, 3), lr, clip, correction1, correction2 };
              const hyper = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
              const updated = tf.engine().runKernel<tf.Tensor[]>('FusedAdamW', inputs as Tensors, hyper);
              return { [`p${n}`]: updated[0], [`m${n}`]: updated[1], [`v${n}`]: updated[2] };
            }),
          ) as Tensors,
          outputs: {},
        }),
        state,
        options,
      );
      const scalar = (x: number): HostTensor => ({ data: Float32Array.of(x), shape: [], dtype: 'float32' });
      for (let t = 1; t <= 5; t++) {
        await step.run({
          lr: scalar(0.01 * t),
          clip: scalar(0.5),
          correction1: scalar(1 / (1 - 0.9 ** t)),
          correction2: scalar(1 / (1 - 0.999 ** t)),
        });
      }
      const found = step.readState();
      step.dispose();
      return found;
    };
    const expected = await run({ native: false });
    const found = await run({ native: true });
    const single = await run({ native: true, sessionOptions: { intraOpNumThreads: 1 } });
    for (const name in expected) closeTo(found[name]!, expected[name]!, name);
    for (const [key, tensor] of Object.entries(found)) expectSameBits(single[key]!, tensor, key);
  });

  it('options that the addon does not know leave the step to onnxruntime-node', () => {
    const state = { x: numbers([1], 1) };
    const step = new ReplayedFunction((s) => ({ state: s, outputs: {} }), state, {
      sessionOptions: { enableMemPattern: false },
    });
    expect(step.isNative).toBe(false);
    step.dispose();
  });

  it('an exported model stays pure ONNX', async () => {
    const gamma = tf.ones([8]);
    const beta = tf.zeros([8]);
    const model = await exportOnnx(
      ({ x }) => {
        const sum = tf.add(x!, x!);
        const y = kernel('FusedLayerNorm', { x: sum, gamma, beta }, { epsilon: 1e-5 });
        return { y: kernel('FusedGelu', { x: tf.add(y, beta) }, { approximate: 'none' }) };
      },
      { inputs: { x: { shape: ['batch', 8], dtype: 'float32' } } },
    );
    expect(Buffer.from(model).includes('ort.native')).toBe(false);
  });
});

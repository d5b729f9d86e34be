/**
 * Sums of the native addon at the widths of MobileNetV2 at 160 pixels against sums in double precision. Small shapes do not show how
 * errors grow with the number of rows.
 */
import * as tf from '@tensorflow/tfjs-core';
import { loadNative } from 'ort-native';
import { beforeAll, describe, expect, it } from 'vitest';
import { gradients, kernel, type Tensors } from '../../test/native-cases.js';
import { ReplayedFunction, type HostTensor } from '../index.js';

/** Uniform in [-1, 1): sums of products neither cancel to nothing nor grow with their number. */
function random(shape: number[], seed: number): HostTensor {
  let state = seed;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 31;
  const length = shape.reduce((n, d) => n * d, 1);
  return { data: Float32Array.from({ length }, next), shape, dtype: 'float32' };
}

async function nativeResult(inputs: Record<string, HostTensor>, f: (tensors: Tensors) => tf.Tensor) {
  const step = new ReplayedFunction(
    (_, tensors) => ({ state: {}, outputs: { y: f(tensors) } }),
    {},
    { native: true },
  );
  const { y } = await step.run(inputs);
  step.dispose();
  return y!.data as Float32Array;
}

/** The error of some elements, relative to their size. */
function relativeError(found: Float32Array, expected: ReadonlyMap<number, number>): number {
  const norm = (numbers: number[]) => Math.hypot(...numbers);
  const pairs = [...expected];
  return norm(pairs.map(([i, x]) => found[i]! - x)) / norm(pairs.map(([, x]) => x));
}

const native = loadNative();
const reason = native.runtime ? '' : ` (skipped: ${native.reason})`;

describe.skipIf(native.runtime === undefined)(`precision of the native addon${reason}`, () => {
  beforeAll(async () => {
    await tf.setBackend('onnxruntime');
  });

  it('the filter gradient of a depthwise convolution sums 76,800 cells to single precision', async () => {
    const [N, H, C] = [48, 40, 24];
    const inputs = {
      x: random([N, H, H, C], 1),
      filter: random([3, 3, C, 1], 2),
      weight: random([N, H, H, C], 3),
    };
    const forward = (t: Tensors) =>
      tf.depthwiseConv2d(t.x as tf.Tensor4D, t.filter as tf.Tensor4D, 1, 'same');
    const found = await nativeResult(inputs, (t) => gradients(forward, t, ['filter'], t.weight!).d_filter!);
    const expected = new Map<number, number>();
    for (const [r, s, c] of [
      [0, 0, 0],
      [1, 1, 7],
      [2, 1, 15],
      [1, 0, 16],
      [2, 2, 23],
    ] as const) {
      let sum = 0;
      for (let n = 0; n < N; n++) {
        for (let p = Math.max(0, 1 - r); p < Math.min(H, H + 1 - r); p++) {
          for (let q = Math.max(0, 1 - s); q < Math.min(H, H + 1 - s); q++) {
            const source = ((n * H + p + r - 1) * H + q + s - 1) * C + c;
            sum +=
              (inputs.x.data[source]! as number) *
              (inputs.weight.data[((n * H + p) * H + q) * C + c]! as number);
          }
        }
      }
      expected.set((r * 3 + s) * C + c, sum);
    }
    expect(relativeError(found, expected)).toBeLessThan(1e-6);
  });

  it('the gradient of a narrow layer sums 76,800 rows to single precision', async () => {
    const [K, M, N] = [76_800, 24, 16];
    const inputs = { left: random([K, M], 4), right: random([K, N], 5) };
    const found = await nativeResult(inputs, ({ left, right }) => tf.matMul(left!, right!, true, false));
    const expected = new Map<number, number>();
    for (const [m, n] of [
      [0, 0],
      [11, 3],
      [12, 15],
      [23, 8],
    ] as const) {
      let sum = 0;
      for (let k = 0; k < K; k++)
        sum += (inputs.left.data[k * M + m]! as number) * (inputs.right.data[k * N + n]! as number);
      expected.set(m * N + n, sum);
    }
    expect(relativeError(found, expected)).toBeLessThan(1.5e-6);
  });

  it('the gradient of a bias under ReLU6 sums 76,800 rows to single precision', async () => {
    const [N, D] = [76_800, 24];
    const inputs = { x: random([N, D], 6), bias: random([D], 7), weight: random([N, D], 8) };
    const forward = (t: Tensors) => kernel('FusedRectifier', { x: tf.add(t.x!, t.bias!) }, { highest: 0.75 });
    const found = await nativeResult(inputs, (t) => gradients(forward, t, ['bias'], t.weight!).d_bias!);
    const expected = new Map<number, number>();
    for (let d = 0; d < D; d += 5) {
      let sum = 0;
      for (let n = 0; n < N; n++) {
        const z = Math.fround((inputs.x.data[n * D + d]! as number) + (inputs.bias.data[d]! as number));
        if (z > 0 && z < 0.75) sum += inputs.weight.data[n * D + d]! as number;
      }
      expected.set(d, sum);
    }
    expect(relativeError(found, expected)).toBeLessThan(2e-6);
  });
});

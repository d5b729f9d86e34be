/** Device functions on the CPU provider, which takes the path of CUDA with main memory as the device's. */
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import * as tf from '@tensorflow/tfjs-core';
import { loadNative } from 'ort-native';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  DeviceFunction,
  openComputeDevice,
  ReplayedFunction,
  type ComputeDevice,
  type HostTensor,
  type StatefulResult,
} from '../index.js';

const f32 = (data: number[], shape: number[] = [data.length]): HostTensor => ({
  data: Float32Array.from(data),
  shape,
  dtype: 'float32',
});
const waves = (shape: number[], salt: number): HostTensor => {
  const length = shape.reduce((n, d) => n * d, 1);
  return f32(
    Array.from({ length }, (_, i) => Math.sin(i * 1.7 + salt)),
    shape,
  );
};
const PARAMETERS = { kernel: [5, 7], bias: [7], scale: [7], head: [7, 1] };

/**
 * A small network that learns by AdamW: matrices with weight decay, vectors without, the head at a third of the rate; a counter
 * and two tensors that change places are state too. `predict` reads the parameters only.
 */
const network = (state: tf.NamedTensorMap, { x, y, lr }: tf.NamedTensorMap): StatefulResult => {
  const predict = (s: tf.NamedTensorMap) =>
    tf.matMul(tf.mul(tf.tanh(tf.add(tf.matMul(x!, s.kernel!), s.bias!)), s.scale!), s.head!);
  if (y === undefined) return { state: {}, outputs: { predicted: predict(state) } };
  const names = Object.keys(PARAMETERS);
  const loss = (...tensors: tf.Tensor[]) =>
    tf.mean<tf.Scalar>(
      tf.square(tf.sub(predict(Object.fromEntries(names.map((name, i) => [name, tensors[i]!]))), y)),
    );
  const { value, grads } = tf.valueAndGrads(loss)(names.map((name) => state[name]!));
  const slow = tf.mul(lr!, 1 / 3);
  const one = tf.scalar(1);
  const changed: tf.NamedTensorMap = {};
  names.forEach((name, i) => {
    const inputs = {
      param: state[name]!,
      m: state[`m/${name}`]!,
      v: state[`v/${name}`]!,
      grad: grads[i]!,
      lr: name === 'head' ? slow : lr!,
      clip: tf.scalar(0.5),
      correction1: one,
      correction2: one,
    };
    const weightDecay = inputs.param.rank < 2 ? 0 : 0.1;
    const attributes = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay };
    const updated = tf.engine().runKernel<tf.Tensor[]>('FusedAdamW', inputs, attributes);
    changed[name] = updated[0]!;
    changed[`m/${name}`] = updated[1]!;
    changed[`v/${name}`] = updated[2]!;
  });
  return {
    state: {
      ...changed,
      steps: tf.add(state.steps!, tf.scalar(1, 'int32')),
      left: state.right!,
      right: state.left!,
    },
    outputs: { loss: value },
  };
};

const initialState = (): Record<string, HostTensor> => ({
  steps: { data: Int32Array.of(0), shape: [], dtype: 'int32' },
  left: f32([1, 2]),
  right: f32([3, 4]),
  ...Object.fromEntries(
    Object.entries(PARAMETERS).flatMap(([name, shape], i) => [
      [name, waves(shape, i)],
      [`m/${name}`, f32(new Array<number>(shape.reduce((n, d) => n * d, 1)).fill(0), shape)],
      [`v/${name}`, f32(new Array<number>(shape.reduce((n, d) => n * d, 1)).fill(0), shape)],
    ]),
  ),
});
const batch = (rows = 9, lr = 0.05) => ({
  x: waves([rows, 5], 3),
  y: waves([rows, 1], 4),
  lr: f32([lr], []),
});

const native = loadNative();
let device: ComputeDevice;

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
  if (native.runtime) device = await openComputeDevice({ kind: 'cpu' });
});

describe.skipIf(native.runtime === undefined)('a function on a device', () => {
  it('takes the steps that a replayed function takes, for several shapes', async () => {
    const here = new DeviceFunction(device, network, initialState());
    const reference = new ReplayedFunction(network, initialState(), { native: false });
    for (let i = 0; i < 12; i++) {
      const inputs = batch(i % 3 === 0 ? 4 : 9, 0.05 - 0.003 * i);
      const [found, expected] = [await here.run(inputs), await reference.run(inputs)];
      expect(found.loss!.data[0]).toBeCloseTo(Number(expected.loss!.data[0]), 5);
    }
    const [found, expected] = [here.readState(), reference.readState()];
    for (const [name, { data, shape, dtype }] of Object.entries(expected)) {
      expect(found[name]).toMatchObject({ shape, dtype });
      data.forEach((x, k) => expect(Number(found[name]!.data[k])).toBeCloseTo(Number(x), 5));
    }
    expect(found.steps!.data[0]).toBe(12);
    here.dispose();
    reference.dispose();
  });

  it('moves no byte of its state in a step', async () => {
    const step = new DeviceFunction(device, network, initialState());
    await step.run(batch());
    const before = step.stateBytesMoved;
    for (let i = 0; i < 5; i++) await step.run(batch());
    expect(step.stateBytesMoved).toBe(before);
    step.readState(['bias']);
    expect(step.stateBytesMoved).toBe(before + 28);
    step.dispose();
  });

  it('updates each group of parameters in at most 18 nodes, without loops', () => {
    const step = new DeviceFunction(device, network, initialState());
    const { ops } = step.describe(batch());
    const count = (counts: Readonly<Record<string, number>>) =>
      Object.values(counts).reduce((sum, n) => sum + n, 0);
    // Groups: matrices, vectors, the head. Identity copies the counter and the two tensors that change places.
    expect(ops.update.Identity).toBe(3);
    expect(count(ops.update) - 3).toBeLessThanOrEqual(3 * 18);
    expect(ops.update.Sqrt).toBe(3);
    for (const op of ['Scan', 'Loop', 'If']) expect(ops.step).not.toHaveProperty(op);
    step.dispose();
  });

  it('in mixed precision follows float32 to 1e-2, with the optimiser in float32', async () => {
    const half = new DeviceFunction(device, network, initialState(), { precision: 'mixed' });
    const full = new DeviceFunction(device, network, initialState());
    for (let i = 0; i < 6; i++) {
      const [found, expected] = [await half.run(batch()), await full.run(batch())];
      expect(found.loss!.data[0]).toBeCloseTo(Number(expected.loss!.data[0]), 2);
      expect(found.loss!.data[0]).not.toBe(expected.loss!.data[0]);
    }
    const { step, update } = half.describe(batch()).ops;
    const single = full.describe(batch()).ops;
    expect(update).toEqual(single.update);
    expect(step.Gemm).toBe(single.step.Gemm);
    half.dispose();
    full.dispose();
  });

  it('in mixed precision keeps values in float16 from product to product, and sums and similarities in float32', () => {
    const step = new DeviceFunction(
      device,
      (state, { x }) => {
        const a = tf.matMul(x!, state.w!);
        const moved = tf.matMul(
          tf.reshape(tf.transpose(tf.reshape(a, [2, 3, 4]), [1, 0, 2]), [6, 4]),
          state.w!,
        );
        const similarities = tf.matMul(moved, moved, false, true);
        return { state: {}, outputs: { similarities, sums: tf.matMul(tf.ones([1, 6]), moved) } };
      },
      { w: f32(new Array<number>(16).fill(0.5), [4, 4]) },
      { precision: 'mixed' },
    );
    // To float16: x and w. Back: the second result. And on a CPU the operands and the result of two products.
    expect(step.describe({ x: waves([6, 4], 1) }).ops.step.Cast).toBe(3 + 2 * 3);
    step.dispose();
  });

  it('in mixed precision leaves out a step whose gradients overflow, and takes it at a lower scale', async () => {
    const scaled = (state: tf.NamedTensorMap, { x, scale }: tf.NamedTensorMap): StatefulResult => {
      const { value, grads } = tf.valueAndGrads((w) => tf.sum<tf.Scalar>(tf.mul(tf.matMul(x!, w), scale!)))([
        state.w!,
      ]);
      const grad = tf.div(grads[0]!, scale!);
      return {
        state: { w: tf.sub(state.w!, grad) },
        outputs: { loss: tf.div(value, scale!), norm: tf.norm(grad) },
      };
    };
    const initial = { w: f32([0.5, 0.25], [2, 1]) };
    const options = { precision: 'mixed', overflow: 'norm' } as const;
    const step = new DeviceFunction(device, scaled, initial, options);
    const x = waves([3, 2], 2);
    const { norm } = await step.run({ x, scale: f32([2 ** 17], []) });
    expect(Number.isFinite(norm!.data[0])).toBe(false);
    expect(step.readState().w!.data).toEqual(initial.w.data);
    const moved = step.stateBytesMoved;
    expect(Number.isFinite((await step.run({ x, scale: f32([256], []) })).norm!.data[0])).toBe(true);
    expect(step.stateBytesMoved).toBe(moved);
    expect(step.readState().w!.data).not.toEqual(initial.w.data);
    step.dispose();
  });

  it('leaves the gaps of the flat vectors zero and its state in place when another function runs first', async () => {
    const step = new DeviceFunction(device, network, initialState());
    const x = batch().x;
    const first = await step.run({ x });
    await step.run(batch());
    const second = await step.run({ x });
    expect(second.predicted!.data).not.toEqual(first.predicted!.data);
    step.writeState(initialState());
    expect((await step.run({ x })).predicted).toEqual(first.predicted);
    step.dispose();
  });

  it('leaves the state as it was when a result is not finite, and names the op', async () => {
    const step = new DeviceFunction(
      device,
      (state, { x }) => ({
        state: { n: tf.add(state.n!, 1) },
        outputs: { loss: tf.mean(tf.log(tf.sub(x!, 1))) },
      }),
      { n: f32([0]) },
    );
    await step.run({ x: f32([2, 3]) });
    await expect(step.run({ x: f32([2, 0.5]) })).rejects.toMatchObject({ code: 'NON_FINITE', kernel: 'Log' });
    expect(step.readState().n!.data[0]).toBe(1);
    step.dispose();
  });

  it('refuses state and inputs of another shape, and use after its end', async () => {
    const step = new DeviceFunction(device, network, initialState());
    expect(() => step.writeState({ bias: f32([1]) })).toThrow(
      '"bias" must stay float32[7], found float32[1]',
    );
    expect(() => step.readState(['nothing'])).toThrow('there is no state named "nothing"');
    await expect(step.run({ ...batch(), x: f32([1], [5, 5]) })).rejects.toThrow('25 elements, found 1');
    step.dispose();
    await expect(step.run(batch())).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('keeps as many compiled signatures as it is told', async () => {
    const step = new DeviceFunction(device, network, initialState(), { maxSignatures: 2 });
    for (const rows of [2, 3, 4, 2]) await step.run(batch(rows));
    expect(step.signatures).toBe(2);
    step.dispose();
  });

  it('on CUDA needs libraries, and names those that are missing', async () => {
    const opened = openComputeDevice({ kind: 'cuda', folders: ['/nowhere'] });
    await expect(opened).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE' });
    await expect(opened).rejects.toThrow(/there is no cuda device: .*libcudart\.so\.13.*looked in \/nowhere/);
  });
});

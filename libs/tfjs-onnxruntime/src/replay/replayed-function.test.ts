import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers tfjs-core's gradients
import { loadNative } from 'ort-native';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  estimateCost,
  ReplayedFunction,
  type HostTensor,
  type OnnxRuntimeBackend,
  type ReplayOptions,
  type StatefulFunction,
} from '../index.js';

const f32 = (data: number[], shape: number[] = [data.length]): HostTensor => ({
  data: Float32Array.from(data),
  shape,
  dtype: 'float32',
});

/** Least squares by AdamW: state w [2], inputs x [N,2] and y [N]. */
const leastSquares: StatefulFunction = (state, inputs) => {
  const loss = (w: tf.Tensor) =>
    tf.mean<tf.Scalar>(
      tf.square(tf.sub(tf.reshape(tf.matMul(inputs.x!, tf.reshape(w, [2, 1])), [-1]), inputs.y!)),
    );
  const { value, grad } = tf.valueAndGrad(loss)(state.w!);
  const scalars = {
    lr: tf.scalar(0.05),
    clip: tf.scalar(1),
    correction1: tf.scalar(1),
    correction2: tf.scalar(1),
  };
  const updated = tf
    .engine()
    .runKernel<tf.Tensor[]>(
      'FusedAdamW',
      { param: state.w!, m: state.m!, v: state.v!, grad, ...scalars },
      { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    );
  return { state: { w: updated[0]!, m: updated[1]!, v: updated[2]! }, outputs: { loss: value } };
};
const zeroState = () => ({ w: f32([0, 0]), m: f32([0, 0]), v: f32([0, 0]) });
const batch = { x: f32([1, 0, 0, 1, 1, 1], [3, 2]), y: f32([2, -1, 1]) };

const signaturesOf = (tensors: Readonly<Record<string, HostTensor>>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype: type, shape }]) => [name, { type, shape }]),
  );

beforeAll(async () => {
  await tf.setBackend('onnxruntime');
});

/** With and without the native addon, where it has been built. */
const RUNTIMES = loadNative().runtime ? [false, true] : [false];

describe.each(RUNTIMES)('ReplayedFunction, native: %s', (native) => {
  const replay = (
    fn: StatefulFunction,
    state: Readonly<Record<string, HostTensor>>,
    options: ReplayOptions = {},
  ): ReplayedFunction => new ReplayedFunction(fn, state, { ...options, native });

  it('carries its state from step to step and learns', async () => {
    const step = replay(leastSquares, zeroState());
    let loss = Infinity;
    for (let i = 0; i < 500; i++) loss = (await step.run(batch)).loss!.data[0] as number;
    expect(loss).toBeLessThan(1e-3);
    expect(Number(step.readState(['w']).w!.data[0])).toBeCloseTo(2, 1);
    step.dispose();
  });

  it('takes steps that are asked for at once one after the other, and gives no state away meanwhile', async () => {
    const [together, apart] = [replay(leastSquares, zeroState()), replay(leastSquares, zeroState())];
    const steps = Array.from({ length: 5 }, () => together.run(batch));
    expect(() => together.readState()).toThrow('is running');
    const losses = (await Promise.all(steps)).map(({ loss }) => loss!.data[0]);
    for (const loss of losses) expect((await apart.run(batch)).loss!.data[0]).toBe(loss);
    expect(together.readState()).toEqual(apart.readState());
    together.dispose();
    apart.dispose();
  });

  it('finishes the step under way when it is disposed of, and takes no other', async () => {
    const step = replay(leastSquares, zeroState());
    await step.run(batch);
    const [first, second] = [step.run(batch), step.run(batch)];
    const outcomes = Promise.allSettled([first, second]);
    await Promise.resolve();
    step.dispose();
    const [, late] = await outcomes;
    expect(late).toMatchObject({ status: 'rejected', reason: { code: 'DISPOSED' } });
    await expect(step.run(batch)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it.runIf(native)('leaves the calling thread free while a step runs', async () => {
    const side = 700;
    const powers: StatefulFunction = (state) => {
      let product = state.x!;
      for (let i = 0; i < 12; i++) product = tf.matMul(product, state.x!);
      return { state: {}, outputs: { norm: tf.sum(product) } };
    };
    const step = replay(powers, { x: f32(Array<number>(side * side).fill(1e-3), [side, side]) });
    await step.run({});
    let turns = 0;
    const count = setInterval(() => turns++, 1);
    const started = performance.now();
    await step.run({});
    expect(performance.now() - started).toBeGreaterThan(5);
    clearInterval(count);
    expect(turns).toBeGreaterThan(1);
    step.dispose();
  });

  it('traces once for each signature and leaves the tensor count unchanged', async () => {
    let traces = 0;
    const backend = tf.backend() as OnnxRuntimeBackend;
    const [tensors, dataIds] = [tf.memory().numTensors, backend.numDataIds()];
    const step = replay((state, inputs) => {
      traces++;
      return leastSquares(state, inputs);
    }, zeroState());
    for (let i = 0; i < 5; i++) await step.run(batch);
    expect(traces).toBe(1);
    await step.run({ x: f32([1, 1], [1, 2]), y: f32([1]) });
    expect(traces).toBe(2);
    expect(step.signatures).toBe(2);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(backend.numDataIds()).toBe(dataIds);
    step.dispose();
  });

  it('computes what eager execution computes', async () => {
    const step = replay(leastSquares, zeroState());
    const tensors = (map: Record<string, HostTensor>) =>
      Object.fromEntries(
        Object.entries(map).map(([k, t]) => [k, tf.tensor(t.data as Float32Array, t.shape)]),
      );
    let state = tensors(zeroState());
    for (let i = 0; i < 3; i++) {
      const replayed = await step.run(batch);
      const eager = leastSquares(state, tensors(batch));
      expect(Number(replayed.loss!.data[0])).toBeCloseTo(eager.outputs.loss!.dataSync()[0]!, 6);
      state = eager.state;
    }
    expect([...(step.readState().w!.data as Float32Array)]).toEqual([...state.w!.dataSync()]);
    step.dispose();
  });

  it('reads and writes state by name', async () => {
    const step = replay(
      (state, inputs) => ({
        state: { n: tf.add(state.n!, inputs.by!) },
        outputs: { twice: tf.mul(state.n!, 2) },
      }),
      { n: f32([1]), constant: f32([5]) },
    );
    await step.run({ by: f32([2]) });
    step.writeState({ n: f32([10]) });
    expect((await step.run({ by: f32([3]) })).twice!.data[0]).toBe(20);
    const state = step.readState();
    expect([state.n!.data[0], state.constant!.data[0]]).toEqual([13, 5]);
    step.dispose();
    await expect(step.run({ by: f32([1]) })).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('reads shared state where the caller has it and writes to none of its arrays', async () => {
    const fn: StatefulFunction = (state, inputs) => {
      const { state: learned, outputs } = leastSquares(state, inputs);
      const count = tf.add(state.count!, 1);
      return { state: { ...learned, count }, outputs: { ...outputs, frozen: tf.max(state.frozen!) } };
    };
    const frozen = f32(new Array<number>(1 << 22).fill(3));
    const start = () => ({ ...zeroState(), count: f32([7], []), frozen });
    const [given, untouched] = [start(), start()];
    const before = process.memoryUsage().arrayBuffers;
    const shared = replay(fn, given, { sharesState: true });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(frozen.data.byteLength / 2);
    const copied = replay(fn, untouched);
    for (let i = 0; i < 3; i++) expect(await shared.run(batch)).toEqual(await copied.run(batch));
    const names = ['w', 'm', 'v', 'count'] as const;
    expect(shared.readState(names)).toEqual(copied.readState(names));
    for (const name of names) expect(given[name], name).toEqual(start()[name]);
    const { stateBytes } = estimateCost(fn, signaturesOf(start()), signaturesOf(batch));
    expect(stateBytes).toBe(shared.stateBytes - frozen.data.byteLength);
    shared.writeState({ frozen: { ...frozen, data: new Float32Array(1 << 22).fill(5) } });
    expect((await shared.run(batch)).frozen!.data[0]).toBe(5);
    expect(frozen.data[0]).toBe(3);
    shared.dispose();
    copied.dispose();
  });

  it('returns outputs that are state, inputs or constants unchanged', async () => {
    const captured = tf.tensor1d([7]);
    const step = replay(
      (state, inputs) => ({
        state: {},
        outputs: { s: state.s!, i: inputs.i!, c: captured, again: inputs.i! },
      }),
      { s: f32([1]) },
    );
    const out = await step.run({ i: f32([2]) });
    expect([out.s, out.i, out.c, out.again].map((t) => t!.data[0])).toEqual([1, 2, 7, 2]);
    step.dispose();
  });

  it('says which input a read inside the function depends on', async () => {
    const step = replay((_state, inputs) => {
      tf.mul(inputs.x!, 2).dataSync();
      return { state: {}, outputs: {} };
    }, {});
    await expect(step.run({ x: f32([1]) })).rejects.toMatchObject({ code: 'READ_DURING_TRACE' });
    step.dispose();
  });

  it('refuses state of another shape, unknown state and inputs that do not fit their shape', async () => {
    const grow = replay((s) => ({ state: { s: tf.concat([s.s!, s.s!]) }, outputs: {} }), {
      s: f32([1]),
    });
    await expect(grow.run({})).rejects.toMatchObject({ code: 'BAD_STATE' });
    const invent = replay((s) => ({ state: { t: s.s! }, outputs: {} }), { s: f32([1]) });
    await expect(invent.run({})).rejects.toMatchObject({ code: 'BAD_STATE' });
    await expect(invent.run({ x: f32([1, 2], [3]) })).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('keeps a bounded number of signatures compiled', async () => {
    const step = replay((_s, i) => ({ state: {}, outputs: { y: tf.sum(i.x!) } }), {}, { maxSignatures: 2 });
    for (let n = 1; n <= 5; n++) {
      const { y } = await step.run({ x: f32(new Array<number>(n).fill(1)) });
      expect(y!.data[0]).toBe(n);
    }
    expect(step.signatures).toBe(2);
    step.dispose();
  });

  it('names the op that made the loss non-finite and leaves the state as it was', async () => {
    const step = replay(
      (state, { x }) => ({
        state: { n: tf.add(state.n!, 1) },
        outputs: { loss: tf.mean(tf.mul(tf.log(tf.sub(x!, 1)), 2)) },
      }),
      { n: f32([0]) },
    );
    await step.run({ x: f32([2, 3]) });
    const failure = step.run({ x: f32([2, 0.5]) });
    await expect(failure).rejects.toMatchObject({ code: 'NON_FINITE', kernel: 'Log' });
    expect(step.readState().n!.data[0]).toBe(1);
    step.dispose();
  });

  it('profiles a step and shows its graph without changing the state', async () => {
    const step = replay(leastSquares, zeroState());
    await step.run(batch);
    const before = step.readState();
    const entries = step.profile(batch);
    expect(entries.some((e) => e.op === 'Gemm' && e.ms > 0)).toBe(true);
    expect(step.dumpGraph(batch).byteLength).toBeGreaterThan(500);
    expect(step.readState()).toEqual(before);
    step.dispose();
  });
});

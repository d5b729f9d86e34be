/**
 * The backend that a command computes on, with the way to run a program there: compiled and replayed on onnxruntime, op
 * by op elsewhere.
 */
import * as tf from '@tensorflow/tfjs-core';
import {
  asOneFunction,
  createEagerRunner,
  createReplayedRunner,
  inputsOf,
  toTensors,
  type HostTensors,
  type Program,
  type Runner,
} from '@clip-ts/clip/train';
import type { ComputeDevice, CostEstimate, MachineRates } from 'tfjs-onnxruntime';
import type { BackendName } from './names.js';
import { selectBackend, type SelectedBackend } from './select-backend.js';

type CreateFixedRunner = <P extends Program<P>>(program: P, state: HostTensors) => FixedRunner<P>;

/** Without a state to read. */
export type FixedRunner<P> = Omit<Runner<P>, 'readState'>;

/** 'mixed': matrix products and convolutions in float16, all else in float32. */
export type Precision = 'float32' | 'mixed';

type CreateRunner = <P extends Program<P>>(
  program: P,
  initialState: HostTensors,
  precision?: Precision,
) => Runner<P>;

export interface Backend {
  name: SelectedBackend['name'];
  createRunner: CreateRunner;
  /** Whether runners know 'mixed'. */
  mixedPrecision: boolean;
  /**
   * Runs programs whose state never changes. Where they are compiled, weights become constants of what runs, which is
   * faster; of the shapes that occur, the last few stay compiled.
   */
  createFixedRunner: CreateFixedRunner;
  /**
   * Whether programs of several shapes use the same memory. Otherwise each shape that is compiled keeps what it needed
   * (docs/decisions/016-memory-of-training.md).
   */
  sharesMemory: boolean;
  /** Absent where the backend cannot tell what a program would take. */
  estimates?: Estimates;
}

interface Estimates {
  /** What a function of a program would take, estimated without running it. */
  cost: <P extends Program<P>>(
    program: P,
    state: HostTensors,
    name: keyof P & string,
    inputs: HostTensors,
  ) => CostEstimate;
  /** What this machine computes in a second, measured now. */
  measureRates: () => Promise<MachineRates>;
  secondsOfWork: (work: CostEstimate['work'], rates: MachineRates) => number;
}

export interface OpenBackendOptions {
  /**
   * "device" of a training configuration: "cpu" keeps `auto` away from a GPU; "cuda" without a GPU is reported. Without
   * a configuration `auto` looks for a GPU.
   */
  device?: 'cuda' | 'cpu';
  /** Gets a line that says which backend runs, and why. */
  log: (line: string) => void;
}

/**
 * Starts a backend and makes it TensorFlow.js' current one.
 * @throws InputError for a backend that is not installed or does not load
 */
export async function openBackend(name: BackendName, { device, log }: OpenBackendOptions): Promise<Backend> {
  const onCpu = name === 'auto' && device === 'cpu';
  const { name: selected, reason, device: opened } = await selectBackend(onCpu ? 'onnxruntime' : name);
  log(`backend ${selected}: ${onCpu ? 'device is "cpu" in the configuration' : reason}`);
  if (device === 'cuda' && !ON_GPU.includes(selected))
    log('device is "cuda" in the configuration; this runs on the CPU');
  const createRunner = await runnersOf(selected, opened);
  return {
    name: selected,
    createRunner,
    mixedPrecision: opened !== undefined,
    createFixedRunner: selected === 'onnxruntime' ? await fixedRunners() : createRunner,
    ...(selected === 'onnxruntime' ? { estimates: await estimatesOf() } : {}),
    sharesMemory:
      createRunner === createEagerRunner ||
      (selected === 'onnxruntime' && (await import('tfjs-onnxruntime')).hasNativeAddon()),
  };
}

const ON_GPU: readonly BackendName[] = ['tfjs-node-gpu', 'onnxruntime-webgpu', 'onnxruntime-cuda'];

async function runnersOf(name: SelectedBackend['name'], device?: ComputeDevice): Promise<CreateRunner> {
  if (device) return deviceRunners(device);
  return name === 'onnxruntime' || name === 'onnxruntime-webgpu' ? replayedRunners() : createEagerRunner;
}

async function estimatesOf(): Promise<Estimates> {
  const { estimateCost, measureRates, secondsOfWork } = await import('tfjs-onnxruntime');
  const signatures = (tensors: HostTensors) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { type: dtype, shape }]),
    );
  return {
    measureRates,
    secondsOfWork,
    cost: (program, state, name, inputs) =>
      estimateCost(asOneFunction(program), signatures(state), signatures(inputsOf(name, inputs))),
  };
}

/**
 * Enough for a stage: steps of two or three caption lengths, the functions of a wide step, embeddings, and the
 * loss.
 */
const COMPILED_SHAPES = 16;

/** Runners for the onnxruntime backend, which compile each function of a program once for each set of shapes. */
export async function replayedRunners(): Promise<CreateRunner> {
  const { ReplayedFunction } = await import('tfjs-onnxruntime');
  return (program, initialState) => {
    const options = { name: 'contrastive program', maxSignatures: COMPILED_SHAPES, sharesState: true };
    const state = initialState as ConstructorParameters<typeof ReplayedFunction>[1];
    return createReplayedRunner(program, new ReplayedFunction(asOneFunction(program), state, options));
  };
}

/** What a function on a device does in a precision: in mixed precision a step whose gradients overflow changes nothing. */
export const precisionOptions = (precision: 'float32' | 'mixed') =>
  precision === 'mixed' ? { precision, overflow: 'grad_norm' } : { precision };

/** Runners that keep their state on a device. They compile as those of the onnxruntime backend do. */
export async function deviceRunners(device: ComputeDevice): Promise<CreateRunner> {
  const { DeviceFunction } = await import('tfjs-onnxruntime');
  return (program, initialState, precision = 'float32') => {
    const options = {
      name: 'contrastive program',
      maxSignatures: COMPILED_SHAPES,
      ...precisionOptions(precision),
    };
    const state = initialState as ConstructorParameters<typeof DeviceFunction>[2];
    return createReplayedRunner(program, new DeviceFunction(device, asOneFunction(program), state, options));
  };
}

/** Enough for a function of images and one of texts, whose lengths come one after the other. */
const FIXED_SHAPES = 2;

async function fixedRunners(): Promise<CreateFixedRunner> {
  const { ReplayedFunction } = await import('tfjs-onnxruntime');
  return (program, state) => {
    const constants = toTensors(state);
    const applied = asOneFunction(program);
    const options = { name: 'program of fixed weights', maxSignatures: FIXED_SHAPES };
    const replayed = new ReplayedFunction((_, inputs) => applied(constants, inputs), {}, options);
    const { run, dispose } = createReplayedRunner(program, replayed);
    return {
      run,
      dispose: () => {
        dispose();
        tf.dispose(constants);
      },
    };
  };
}

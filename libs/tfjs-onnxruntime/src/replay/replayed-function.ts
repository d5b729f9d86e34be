/**
 * A function on tensors that is traced once for each signature of its inputs and then replayed as one ONNX Runtime
 * session run, without any TensorFlow.js work in between. Its state (parameters, optimiser moments, …) stays in
 * buffers that ONNX Runtime reads and writes directly.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../errors.js';
import type { TypedArray } from '../graph/value.js';
import { Downloader } from '../session/device.js';
import type { SessionOptions } from '../session/ort.js';
import type { ProfileEntry } from '../session/profile.js';
import { CompiledSteps } from './compiled-steps.js';
import { compileStep, type CompiledStep, type StepOptions } from './compile-step.js';
import {
  checkHostTensor,
  checkSignature,
  hostTensor,
  type HostTensor,
  type TensorSignature,
} from './host-tensor.js';
import type { NativeRuntime } from 'ort-native';
import { nativeRuntimeFor } from '../session/native.js';
import { NativeOptimizer } from './native-optimizer.js';
import { LazyOptimizer, type InPlaceOptimizer } from './optimizer.js';
import { addPrefix, stripPrefix } from './prefix.js';
import { own, type StateSlot } from './state-slot.js';
import { currentBackend, trace } from './trace.js';

/** What a {@link StatefulFunction} returns. */
export interface StatefulResult {
  /** New state; names that are left out keep their contents. */
  state: tf.NamedTensorMap;
  outputs: tf.NamedTensorMap;
}
/** A function of its state and its inputs, written in TensorFlow.js ops. It is traced, so it must not read a tensor. */
export type StatefulFunction = (state: tf.NamedTensorMap, inputs: tf.NamedTensorMap) => StatefulResult;

/** For {@link ReplayedFunction}. */
export interface ReplayOptions extends StepOptions {
  /** Shown in errors and profiles. */
  name?: string;
  /** Input signatures kept compiled; the least recently used is released first. Default 8. */
  maxSignatures?: number;
  /**
   * State that no step changes, as the weights of frozen towers, is read where the initial state has it: the arrays must
   * not be written to then. Default false: all state is copied.
   */
  sharesState?: boolean;
}

/** A memory pattern is a second block beside the arena of a session, as large as all that is alive at once. */
const withoutPattern = (options: SessionOptions): SessionOptions => ({ enableMemPattern: false, ...options });

/** A function whose steps run as one ONNX Runtime session each, with the state in buffers that the session reads and writes. */
export class ReplayedFunction {
  readonly #fn: StatefulFunction;
  readonly #name: string;
  readonly #options: ReplayOptions;
  readonly #slots = new Map<string, StateSlot>();
  readonly #native: NativeRuntime | undefined;
  readonly #optimizer: InPlaceOptimizer;
  readonly #compiled: CompiledSteps<CompiledStep>;
  #downloader: Downloader | undefined;
  #disposed = false;
  /** Settled when no run is under way. */
  #idle: Promise<unknown> = Promise.resolve();
  #running = 0;

  /** @param initialState is copied, unless the options share it */
  constructor(
    fn: StatefulFunction,
    initialState: Readonly<Record<string, HostTensor>>,
    options: ReplayOptions = {},
  ) {
    this.#fn = fn;
    this.#name = options.name ?? (fn.name || 'function');
    const sessionOptions = { ...currentBackend().runner.sessionOptions, ...options.sessionOptions };
    this.#native = options.native === false ? undefined : nativeRuntimeFor(sessionOptions);
    this.#options = this.#native ? options : { ...options, sessionOptions: withoutPattern(sessionOptions) };
    this.#optimizer = this.#native
      ? new NativeOptimizer(this.#native, sessionOptions.intraOpNumThreads ?? 0)
      : new LazyOptimizer();
    this.#compiled = new CompiledSteps(options.maxSignatures, () => this.#downloadState());
    for (const name in initialState) {
      const { data, shape, dtype } = checkHostTensor(name, initialState[name]);
      const contents = options.sharesState
        ? { current: data, lent: data }
        : { current: data.slice(), lent: undefined };
      this.#slots.set(name, {
        type: dtype,
        shape: [...shape],
        next: undefined,
        device: undefined,
        ...contents,
      });
    }
  }

  /** Whether the native addon runs the steps. */
  get isNative(): boolean {
    return this.#native !== undefined;
  }

  /** Signatures that are compiled now. */
  get signatures(): number {
    return this.#compiled.size;
  }

  /** Tensors of the state that are on a device now: with the WebGPU provider, all that steps have changed. */
  get deviceTensors(): number {
    return [...this.#slots.values()].filter(({ device }) => device !== undefined).length;
  }

  /** Bytes of the state, with the second buffers of what the session writes and the gradients of what AdamW updates. */
  get stateBytes(): number {
    let bytes = this.#optimizer.gradientBytes;
    for (const { current, next } of this.#slots.values())
      bytes += current.byteLength + (next?.byteLength ?? 0);
    return bytes;
  }

  /**
   * One step: state and outputs of `fn` for these inputs. The state changes only if the whole step succeeds. Steps are taken
   * one after the other; with the native addon they leave the calling thread free, and until then the inputs must not be
   * written to.
   * @throws EngineError BAD_INPUT, READ_DURING_TRACE, SESSION_RUN_FAILED, …
   */
  async run(inputs: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>> {
    this.#assertUsable();
    this.#running++;
    const before = this.#idle;
    const step = async () => {
      await before;
      try {
        return await this.#step(inputs).run(this.#slots, inputs);
      } finally {
        this.#running--;
      }
    };
    const result = step();
    this.#idle = result.catch(() => undefined);
    return result;
  }

  /** Where the time of a step goes, costliest first. Runs the step a few times; the state stays as it is. */
  profile(inputs: Readonly<Record<string, HostTensor>>): ProfileEntry[] {
    this.#assertIdle();
    return this.#step(inputs).profile(this.#slots, inputs);
  }

  /** The ONNX model that runs for these inputs, for a viewer such as Netron. */
  dumpGraph(inputs: Readonly<Record<string, HostTensor>>): Uint8Array {
    return this.#step(inputs).model();
  }

  /** The compiled step for the signature of these inputs. */
  #step(inputs: Readonly<Record<string, HostTensor>>): CompiledStep {
    this.#assertUsable();
    return this.#compiled.get(inputs, () => this.#compile(inputs));
  }

  #compile(inputs: Readonly<Record<string, HostTensor>>): CompiledStep {
    const signatures: Record<string, TensorSignature> = {};
    for (const [name, slot] of this.#slots) signatures[`state/${name}`] = slot;
    for (const name in inputs) {
      signatures[`input/${name}`] = { type: inputs[name]!.dtype, shape: inputs[name]!.shape };
    }
    const started = performance.now();
    const traced = trace({ name: this.#name, native: this.#native !== undefined }, signatures, (tensors) => {
      const state = stripPrefix(tensors, 'state/');
      const result = this.#fn(state, stripPrefix(tensors, 'input/'));
      for (const name in result.state) {
        const slot = this.#slots.get(name);
        if (slot === undefined) {
          throw new EngineError(
            'BAD_STATE',
            `${this.#name} returned the state "${name}", which it was not given.`,
          );
        }
        const found = result.state[name]!;
        checkSignature(name, { type: found.dtype as 'float32', shape: found.shape }, slot);
      }
      return { ...addPrefix(result.state, 'state/'), ...addPrefix(result.outputs, 'output/') };
    });
    const backend = currentBackend();
    backend.runner.counters.traceMs += performance.now() - started;
    return compileStep(
      backend,
      traced,
      this.#optimizer,
      this.#slots,
      this.#options,
      (slot) => this.#contentsOf(slot),
      this.#native,
    );
  }

  /** Copies of the state's tensors. @param names all when left out */
  readState(names: readonly string[] = [...this.#slots.keys()]): Record<string, HostTensor> {
    const result: Record<string, HostTensor> = {};
    for (const name of names) {
      const slot = this.#slot(name);
      result[name] = hostTensor(slot.type, slot.shape, this.#contentsOf(slot).slice());
    }
    return result;
  }

  /** Overwrites state tensors; shapes and dtypes must be those of the initial state. */
  writeState(values: Readonly<Record<string, HostTensor>>): void {
    for (const name in values) {
      const { dtype, shape, data } = checkHostTensor(name, values[name]);
      const slot = this.#slot(name);
      checkSignature(name, { type: dtype, shape }, slot);
      own(slot);
      (slot.current as Float32Array).set(data as Float32Array);
      slot.device?.dispose();
      slot.device = undefined;
    }
  }

  /** Moves all state to main memory: device memory must not outlive the session it comes from. */
  #downloadState(): void {
    for (const slot of this.#slots.values()) {
      if (slot.device === undefined) continue;
      (slot.current as Float32Array).set(this.#contentsOf(slot) as Float32Array);
      slot.device.dispose();
      slot.device = undefined;
    }
  }

  #contentsOf({ type, current, device }: StateSlot): TypedArray {
    if (device === undefined) return current;
    this.#downloader ??= new Downloader({
      ...currentBackend().runner.sessionOptions,
      ...this.#options.sessionOptions,
    });
    return this.#downloader.download(device, type);
  }

  #slot(name: string): StateSlot {
    this.#assertIdle();
    const slot = this.#slots.get(name);
    if (slot === undefined) throw new EngineError('BAD_STATE', `there is no state named "${name}".`);
    return slot;
  }

  /** What a step is working on can be neither read nor changed. */
  #assertIdle(): void {
    this.#assertUsable();
    if (this.#running === 0) return;
    throw new EngineError('BAD_STATE', `${this.#name} is running.`, { hint: 'Wait for what run returned.' });
  }

  #assertUsable(): void {
    if (this.#disposed) throw new EngineError('DISPOSED', `${this.#name} has been disposed.`);
  }

  /** Releases sessions and buffers, those of a step under way when it is done. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#running === 0) this.#release();
    else void this.#idle.then(() => this.#release());
  }

  #release(): void {
    for (const { device } of this.#slots.values()) device?.dispose();
    this.#slots.clear();
    this.#compiled.clear();
    this.#optimizer.dispose();
    this.#downloader?.dispose();
  }
}

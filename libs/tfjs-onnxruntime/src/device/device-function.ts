/**
 * A function on tensors whose state lives on a device: traced once for each signature of its inputs, then replayed there.
 * The counterpart of ReplayedFunction for GPUs; on the CPU provider it computes the same and serves as its own reference.
 */
import type { ElementType } from '../graph/value.js';
import { EngineError } from '../errors.js';
import { CompiledSteps } from '../replay/compiled-steps.js';
import { checkSignature, type HostTensor, type TensorSignature } from '../replay/host-tensor.js';
import { addPrefix, stripPrefix } from '../replay/prefix.js';
import type { StatefulFunction } from '../replay/replayed-function.js';
import { resultsOf } from '../replay/compile-step.js';
import { trace, type Trace } from '../replay/trace.js';
import { compileDeviceStep, type DeviceStep, type DeviceStepOptions } from './compile-device-step.js';
import type { ComputeDevice } from './compute-device.js';
import { DeviceState } from './device-state.js';

/** For {@link DeviceFunction}. */
export interface DeviceFunctionOptions extends DeviceStepOptions {
  /** Shown in errors. */
  name?: string;
  /** Input signatures kept compiled; the least recently used is released first. Default 8. */
  maxSignatures?: number;
}

/** A function like a `ReplayedFunction` whose state stays in the memory of a device. */
export class DeviceFunction {
  readonly #device: ComputeDevice;
  readonly #fn: StatefulFunction;
  readonly #name: string;
  readonly #stepOptions: DeviceStepOptions;
  readonly #state: DeviceState;
  readonly #compiled: CompiledSteps<DeviceStep>;
  #disposed = false;

  /** @param initialState is copied to the device */
  constructor(
    device: ComputeDevice,
    fn: StatefulFunction,
    initialState: Readonly<Record<string, HostTensor>>,
    { name = fn.name || 'function', maxSignatures, ...stepOptions }: DeviceFunctionOptions = {},
  ) {
    this.#device = device;
    this.#fn = fn;
    this.#name = name;
    this.#compiled = new CompiledSteps(maxSignatures);
    this.#stepOptions = stepOptions;
    this.#state = new DeviceState(device, initialState);
  }

  /** Bytes of state that passed between main memory and the device so far. Steps move none. */
  get stateBytesMoved(): number {
    const { toDevice, fromDevice } = this.#state.moved;
    return toDevice + fromDevice;
  }

  /** Bytes of device memory for the state, with gradients. */
  get stateBytes(): number {
    return this.#state.bytes;
  }

  /** Signatures that are compiled now. */
  get signatures(): number {
    return this.#compiled.size;
  }

  /**
   * One step; blocks the thread. The state changes only if the whole step succeeds.
   * @throws EngineError BAD_INPUT, READ_DURING_TRACE, NON_FINITE, SESSION_RUN_FAILED, …
   */
  async run(inputs: Readonly<Record<string, HostTensor>>): Promise<Record<string, HostTensor>> {
    return this.#step(inputs).run(inputs);
  }

  /** What runs for these inputs: the ops of the step and of the update, and why it is no CUDA graph. */
  describe(inputs: Readonly<Record<string, HostTensor>>): Pick<DeviceStep, 'ops' | 'notCaptured'> {
    const { ops, notCaptured } = this.#step(inputs);
    return { ops, notCaptured };
  }

  /** Copies of the state's tensors. @param names all when left out */
  readState(names: readonly string[] = this.#state.names): Record<string, HostTensor> {
    this.#assertUsable();
    return Object.fromEntries(names.map((name) => [name, this.#state.read(name)]));
  }

  /** Overwrites state tensors; shapes and dtypes must be those of the initial state. */
  writeState(values: Readonly<Record<string, HostTensor>>): void {
    this.#assertUsable();
    for (const name in values) this.#state.write(name, values[name]!);
  }

  #step(inputs: Readonly<Record<string, HostTensor>>): DeviceStep {
    this.#assertUsable();
    return this.#compiled.get(inputs, () => this.#compile(inputs));
  }

  #compile(inputs: Readonly<Record<string, HostTensor>>): DeviceStep {
    const traced = this.#trace(inputs);
    if (this.#state.arrange(resultsOf(traced, false).updates)) {
      this.#compiled.clear();
    }
    return compileDeviceStep(this.#device, this.#state, traced, this.#stepOptions);
  }

  #trace(inputs: Readonly<Record<string, HostTensor>>): Trace {
    const signatures: Record<string, TensorSignature> = {};
    for (const name of this.#state.names) signatures[`state/${name}`] = this.#state.tensor(name);
    for (const name in inputs)
      signatures[`input/${name}`] = { type: inputs[name]!.dtype, shape: inputs[name]!.shape };
    return trace({ name: this.#name, native: false, wholeTensors: true }, signatures, (tensors) => {
      const result = this.#fn(stripPrefix(tensors, 'state/'), stripPrefix(tensors, 'input/'));
      for (const [name, { dtype, shape }] of Object.entries(result.state)) {
        checkSignature(name, { type: dtype as ElementType, shape }, this.#state.tensor(name));
      }
      return { ...addPrefix(result.state, 'state/'), ...addPrefix(result.outputs, 'output/') };
    });
  }

  #assertUsable(): void {
    if (this.#disposed) throw new EngineError('DISPOSED', `${this.#name} has been disposed.`);
  }

  /** Releases sessions and device memory. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#compiled.clear();
    this.#state.dispose();
  }
}

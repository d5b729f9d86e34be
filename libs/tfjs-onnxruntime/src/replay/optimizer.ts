/** AdamW outside the graph: a WebAssembly kernel updates parameters and moments in place. */
import { createAdamW, type AdamWKernel } from '../wasm/adamw.js';
import { Arena, paddedLength } from '../wasm/arena.js';
import type { PlannedUpdate } from './planned-update.js';
import type { Slots, StateSlot } from './state-slot.js';

/** Elements of a block of a staged update: four blocks of 32 KiB stay in the second-level cache. */
const STAGE = 8192;

export interface UpdateScalars {
  lr: number;
  clip: number;
  correction1: number;
  correction2: number;
}

/** AdamW over the state's arrays, outside the graph of the step. */
export interface InPlaceOptimizer {
  /** Prepares for steps with these updates. */
  prepare(updates: readonly PlannedUpdate[], slots: Slots): void;
  /** Where the session writes the gradient of a parameter. */
  gradientOf(param: string): Float32Array;
  readonly gradientBytes: number;
  /** Updates the parameters and their moments. */
  apply(
    updates: readonly PlannedUpdate[],
    slots: Slots,
    scalarsOf: (update: PlannedUpdate) => UpdateScalars,
  ): Promise<void>;
  dispose(): void;
}

class Optimizer {
  readonly #arena: Arena | undefined;
  readonly #stage: Arena;
  readonly #kernel: AdamWKernel;
  readonly #staged: Record<'param' | 'm' | 'v' | 'grad', Float32Array>;
  readonly #grads = new Map<string, Float32Array>();

  /**
   * Moves the state that `updates` change into one WebAssembly memory. Where that cannot be allocated, blocks are copied
   * through a small one instead.
   */
  constructor(updates: readonly PlannedUpdate[], slots: Slots) {
    const lengths = updates.flatMap(({ names }) =>
      new Array<number>(4).fill(slots.get(names.param)!.current.length),
    );
    this.#arena = Arena.forLengths([...lengths, STAGE, STAGE, STAGE, STAGE]);
    this.#stage = this.#arena ?? Arena.forLengths([STAGE, STAGE, STAGE, STAGE])!;
    this.#kernel = createAdamW(this.#stage.memory);
    const stage = (): Float32Array => this.#stage.allocate(STAGE);
    this.#staged = { param: stage(), m: stage(), v: stage(), grad: stage() };
    for (const { names } of updates) {
      for (const name of [names.param, names.m, names.v]) this.#adopt(slots.get(name)!);
      const { length } = slots.get(names.param)!.current;
      this.#grads.set(names.param, this.#arena?.allocate(length) ?? new Float32Array(length));
    }
  }

  #adopt(slot: StateSlot): void {
    if (this.#arena === undefined || this.#arena.owns(slot.current)) return;
    const moved = this.#arena.allocate(slot.current.length);
    moved.set(slot.current as Float32Array);
    slot.current = moved;
  }

  /** Where the session writes the gradient of a parameter. */
  gradientOf(param: string): Float32Array {
    return this.#grads.get(param)!;
  }

  get gradientBytes(): number {
    let bytes = 0;
    for (const grad of this.#grads.values()) bytes += grad.byteLength;
    return bytes;
  }

  /** Updates one parameter and its moments. */
  apply(update: PlannedUpdate, slots: Slots, scalars: UpdateScalars): void {
    const { beta1, beta2, epsilon, weightDecay } = update;
    const factors = { ...scalars, beta1, beta2, epsilon, weightDecay };
    const at = (name: string): Float32Array => slots.get(name)!.current as Float32Array;
    const arrays = {
      param: at(update.names.param),
      m: at(update.names.m),
      v: at(update.names.v),
      grad: this.gradientOf(update.names.param),
    };
    const arena = this.#arena;
    if (arena && Object.values(arrays).every((array) => arena.owns(array))) {
      const { param, m, v } = arrays;
      const offsets = {
        param: param.byteOffset,
        m: m.byteOffset,
        v: v.byteOffset,
        grad: arrays.grad.byteOffset,
      };
      this.#kernel(offsets, paddedLength(param.length), factors);
      return;
    }
    const staged = this.#staged;
    const offsets = {
      param: staged.param.byteOffset,
      m: staged.m.byteOffset,
      v: staged.v.byteOffset,
      grad: staged.grad.byteOffset,
    };
    const { length } = arrays.param;
    for (let start = 0; start < length; start += STAGE) {
      const end = Math.min(start + STAGE, length);
      for (const key of ['param', 'm', 'v', 'grad'] as const)
        staged[key].set(arrays[key].subarray(start, end));
      this.#kernel(offsets, paddedLength(end - start), factors);
      for (const key of ['param', 'm', 'v'] as const) {
        arrays[key].set(staged[key].subarray(0, end - start), start);
      }
    }
  }
}

/** Creates the optimiser when a step first needs it, and again when a step updates further parameters. */
export class LazyOptimizer implements InPlaceOptimizer {
  #optimizer: Optimizer | undefined;
  readonly #known = new Map<string, PlannedUpdate>();

  prepare(updates: readonly PlannedUpdate[], slots: Slots): void {
    const added = updates.filter(({ names }) => !this.#known.has(names.param));
    if (added.length === 0) return;
    for (const update of added) this.#known.set(update.names.param, update);
    this.#optimizer = new Optimizer([...this.#known.values()], slots);
  }

  get gradientBytes(): number {
    return this.#optimizer?.gradientBytes ?? 0;
  }

  gradientOf(param: string): Float32Array {
    return this.#optimizer!.gradientOf(param);
  }

  async apply(
    updates: readonly PlannedUpdate[],
    slots: Slots,
    scalarsOf: (update: PlannedUpdate) => UpdateScalars,
  ): Promise<void> {
    for (const update of updates) this.#optimizer!.apply(update, slots, scalarsOf(update));
  }

  dispose(): void {
    this.#optimizer = undefined;
  }
}

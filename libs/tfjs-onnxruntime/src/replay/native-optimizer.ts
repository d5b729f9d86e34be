/** AdamW by the native addon: all updates of a step in one run on all threads, in place in the state's own arrays. */
import type { NativeRuntime, NativeSession, NativeTensor } from 'ort-native';
import { order } from '../graph/order.js';
import { node, placeholder, ONNX_ELEMENT, type Value } from '../graph/value.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import type { InPlaceOptimizer, UpdateScalars } from './optimizer.js';
import type { PlannedUpdate } from './planned-update.js';
import type { Slots } from './state-slot.js';

const TENSORS = ['param', 'm', 'v', 'grad'] as const;
const SCALARS = ['lr', 'clip', 'correction1', 'correction2'] as const;

/** The same updates make the same session. */
const keyOf = (updates: readonly PlannedUpdate[]): string =>
  updates
    .map(({ names, ...u }) => [names.param, u.beta1, u.beta2, u.epsilon, u.weightDecay].join(':'))
    .join('|');

export class NativeOptimizer implements InPlaceOptimizer {
  readonly #runtime: NativeRuntime;
  readonly #threads: number;
  readonly #sessions = new Map<string, NativeSession>();
  readonly #grads = new Map<string, Float32Array>();

  constructor(runtime: NativeRuntime, threads: number) {
    this.#runtime = runtime;
    this.#threads = threads;
  }

  prepare(updates: readonly PlannedUpdate[], slots: Slots): void {
    if (updates.length === 0) return;
    for (const { names } of updates) {
      if (!this.#grads.has(names.param)) {
        this.#grads.set(names.param, new Float32Array(slots.get(names.param)!.current.length));
      }
    }
    const key = keyOf(updates);
    if (this.#sessions.has(key)) return;
    const session = this.#runtime.createSession(modelOf(updates, slots), {
      threads: this.#threads,
      optimization: 0,
      spinning: false,
      profile: '',
      external: [],
    });
    this.#sessions.set(key, session);
  }

  get gradientBytes(): number {
    let bytes = 0;
    for (const grad of this.#grads.values()) bytes += grad.byteLength;
    return bytes;
  }

  gradientOf(param: string): Float32Array {
    return this.#grads.get(param)!;
  }

  async apply(
    updates: readonly PlannedUpdate[],
    slots: Slots,
    scalarsOf: (update: PlannedUpdate) => UpdateScalars,
  ): Promise<void> {
    if (updates.length === 0) return;
    const inputs = updates.flatMap((update, i): NativeTensor[] => {
      const { names } = update;
      const scalars = scalarsOf(update);
      const arrays = [names.param, names.m, names.v].map((name) => slots.get(name)!.current as Float32Array);
      const tensors = [...arrays, this.gradientOf(names.param)].map((data, k) => ({
        name: `${TENSORS[k]!}${i}`,
        type: ONNX_ELEMENT.float32 as 1,
        shape: [data.length],
        data,
      }));
      const numbers = SCALARS.map((name) => ({
        name: name + i,
        type: ONNX_ELEMENT.float32 as 1,
        shape: [],
        data: Float32Array.of(scalars[name]),
      }));
      return [...tensors, ...numbers];
    });
    const outputs = updates.map((_, i) => ({ name: `updated${i}` }));
    await this.#runtime.runAsync(this.#sessions.get(keyOf(updates))!, inputs, outputs);
  }

  dispose(): void {
    for (const session of this.#sessions.values()) this.#runtime.release(session);
    this.#sessions.clear();
  }
}

/** A graph of nothing but updates, so that no other node reads what they overwrite. */
function modelOf(updates: readonly PlannedUpdate[], slots: Slots): Uint8Array {
  const inputs = new Map<Value, string>();
  const outputs = updates.map((update, i) => {
    const { length } = slots.get(update.names.param)!.current;
    const input = (name: string, shape: readonly number[]): Value => {
      const value = placeholder(name, 'float32', shape);
      inputs.set(value, name);
      return value;
    };
    const operands = [
      ...TENSORS.map((name) => input(name + i, [length])),
      ...SCALARS.map((name) => input(name + i, [])),
    ];
    const attributes = {
      beta1: { float: update.beta1 },
      one_minus_beta1: { float: 1 - update.beta1 },
      beta2: { float: update.beta2 },
      one_minus_beta2: { float: 1 - update.beta2 },
      epsilon: { float: update.epsilon },
      weight_decay: { float: update.weightDecay },
    };
    const [value] = node('AdamW', operands, attributes, [{ type: 'float32', shape: [] }], 'ort.native');
    return { name: `updated${i}`, value: value! };
  });
  return encodeModel(modelMessage(order(outputs.map(({ value }) => value)), { inputs, outputs }).message);
}

/**
 * Turns a trace into a runnable step. One session reads state and inputs and gives new state, outputs and gradients:
 *
 * - state that AdamW updates stays where it is: the session delivers its gradient, a WebAssembly kernel does the rest;
 * - other new state is written into the slots' second buffers, which are then swapped with the first;
 * - state that is returned unchanged needs no work.
 *
 * Where sessions can leave outputs on a device, all new state stays there, and AdamW is part of the session.
 */
import type { OnnxRuntimeBackend } from '../backend/backend.js';
import { fuse } from '../graph/fuse.js';
import { order } from '../graph/order.js';
import { allocate, type TypedArray, type Value } from '../graph/value.js';
import { threadsFor } from '../graph/work.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import { keepsOnDevice, leaveOnDevice, type DeviceTensor } from '../session/device.js';
import type { NativeRuntime } from 'ort-native';
import { openSession } from '../session/native-session.js';
import type { HostArray, SessionOptions } from '../session/ort.js';
import { profileModel, type ProfileEntry } from '../session/profile.js';
import { hostTensor, type HostTensor } from './host-tensor.js';
import { assertFinite } from './assert-finite.js';
import { findNonFinite } from './non-finite.js';
import type { InPlaceOptimizer } from './optimizer.js';
import { planUpdates, type PlannedUpdate } from './planned-update.js';
import { own, type Slots, type StateSlot } from './state-slot.js';
import type { Trace } from './trace.js';

type Inputs = Readonly<Record<string, HostTensor>>;

export interface StepOptions {
  /** Handed to ONNX Runtime; they take precedence over those of the backend. */
  sessionOptions?: SessionOptions;
  /** Use the native addon where it has been built and the session options allow it. Default true. */
  native?: boolean;
}

export interface CompiledStep {
  /** Slots and inputs are in use until the promise settles. */
  run(slots: Slots, inputs: Inputs): Promise<Record<string, HostTensor>>;
  /** Costliest ops of the step; the state is left as it is. */
  profile(slots: Slots, inputs: Inputs): ProfileEntry[];
  /** The ONNX model of the step, encoded again on each call. */
  model(): Uint8Array;
  dispose(): void;
}

export const STATE = 'state/';
export const INPUT = 'input/';
export const OUTPUT = 'output/';
/** Names of the model's other outputs: new state, gradients, and scalars of the updates. */
export const NEXT = 'next/';
export const GRADIENT = 'gradient/';
export const SCALAR = 'scalar/';

/** Larger constants (frozen weights) are passed to ONNX Runtime outside the model, which saves copies of them. */
export const EXTERNAL_BYTES = 65536;

export const SCALARS = ['lr', 'clip', 'correction1', 'correction2'] as const;

function entriesUnder(entries: ReadonlyMap<string, Value>, prefix: string): Map<string, Value> {
  const matching = [...entries].filter(([name]) => name.startsWith(prefix));
  return new Map(matching.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** What a step computes: outputs, new state, and for state that AdamW updates gradients and scalars. */
export function resultsOf(trace: Trace, onDevice: boolean) {
  const next = entriesUnder(trace.outputs, STATE);
  const previous = entriesUnder(trace.inputs, STATE);
  const outputs = entriesUnder(trace.outputs, OUTPUT);
  const updates = onDevice ? [] : planUpdates(next, previous);
  const inPlace = new Set(updates.flatMap(({ names }) => Object.values(names)));
  const written = [...next].filter(([name, value]) => !inPlace.has(name) && value !== previous.get(name));

  /** By its name in the model. */
  const wanted = new Map<string, Value>();
  for (const [name, value] of written) wanted.set(NEXT + name, value);
  for (const [name, value] of outputs) wanted.set(OUTPUT + name, value);
  for (const { names, grad } of updates) wanted.set(GRADIENT + names.param, grad);
  const scalarNames = nameScalars(updates);
  for (const [value, name] of scalarNames) wanted.set(SCALAR + name, value);
  return { outputs, updates, written, wanted, scalarNames };
}

export function compileStep(
  backend: OnnxRuntimeBackend,
  trace: Trace,
  optimizer: InPlaceOptimizer,
  slots: Slots,
  { sessionOptions: options = {} }: StepOptions,
  contentsOf: (slot: StateSlot) => TypedArray,
  native: NativeRuntime | undefined,
): CompiledStep {
  const sessionOptions = { ...backend.runner.sessionOptions, ...options };
  const onDevice = keepsOnDevice(sessionOptions);
  const { outputs, updates, written, wanted, scalarNames } = resultsOf(trace, onDevice);
  optimizer.prepare(updates, slots);
  const changed = [...written.map(([name]) => name), ...updates.flatMap(({ names }) => Object.values(names))];
  for (const name of changed) own(slots.get(name)!);

  const graph = fuse(order([...wanted.values()]), [...wanted.values()]);
  const used = new Set(graph.leaves);
  const inputs = new Map(
    [...trace.inputs].filter(([, value]) => used.has(value)).map(([name, value]) => [value, name]),
  );
  const named = [...wanted].map(([name, value]) => ({ name, value }));
  const model = (): Uint8Array => encodeModel(modelMessage(graph, { inputs, outputs: named }).message);
  const { message, external } = modelMessage(graph, {
    inputs,
    outputs: named,
    externalBytes: EXTERNAL_BYTES,
  });
  const session = openSession(
    encodeModel(message),
    {
      ...sessionOptions,
      ...threadsFor(graph.nodes),
      ...options,
      ...(onDevice ? leaveOnDevice(written.map(([name]) => NEXT + name)) : {}),
      externalData: external,
    },
    native,
  );
  backend.runner.noteSession(session);

  const feedsOf = (current: Slots, given: Inputs): Record<string, HostArray | DeviceTensor> => {
    const feeds: Record<string, HostArray | DeviceTensor> = {};
    for (const [{ type, shape }, name] of inputs) {
      const slot = name.startsWith(STATE) ? current.get(name.slice(STATE.length))! : undefined;
      const data = slot?.current ?? given[name.slice(INPUT.length)]!.data;
      feeds[name] = slot?.device ?? { type, shape, data };
    }
    return feeds;
  };
  /** The same in main memory, whatever is on a device. */
  const hostFeedsOf = (current: Slots, given: Inputs): Record<string, HostArray> => {
    const feeds: Record<string, HostArray> = {};
    for (const [name, feed] of Object.entries(feedsOf(current, given))) {
      const slot = 'location' in feed ? current.get(name.slice(STATE.length))! : undefined;
      feeds[name] = slot ? { ...slot, data: contentsOf(slot) } : (feed as HostArray);
    }
    return feeds;
  };
  const fetchesOf = (current: Slots): Record<string, HostArray | null> => {
    const fetches: Record<string, HostArray | null> = {};
    for (const name of wanted.keys()) fetches[name] = null;
    for (const [name, { type, shape }] of onDevice ? [] : written) {
      const slot = current.get(name)!;
      slot.next ??= allocate(slot.type, slot.current.length);
      fetches[NEXT + name] = { type, shape, data: slot.next };
    }
    for (const { names, grad } of updates) {
      const data = optimizer.gradientOf(names.param);
      fetches[GRADIENT + names.param] = { type: grad.type, shape: grad.shape, data };
    }
    return fetches;
  };

  return {
    model,
    profile: (current, given) =>
      profileModel(
        model(),
        sessionOptions,
        hostFeedsOf(current, given),
        Object.fromEntries(named.map((o) => [o.name, null])),
        { native: native !== undefined },
      ),
    async run(current, given) {
      const feeds = feedsOf(current, given);
      const fetches = fetchesOf(current);
      return backend.runner.timedAsync(async () => {
        const { host: results, device } = await session.runAsync(feeds, fetches);
        // Nothing has changed the state yet: a bad step leaves it as it was.
        const returned = Object.fromEntries(
          [...outputs].map(([name, { type, shape }]) => [
            name,
            hostTensor(type, shape, results[OUTPUT + name]!),
          ]),
        );
        assertFinite(returned, () =>
          findNonFinite(graph, inputs, hostFeedsOf(current, given), sessionOptions, native),
        );
        for (const [name] of written) {
          const slot = current.get(name)!;
          const onDeviceNow = device[NEXT + name];
          if (onDeviceNow === undefined) [slot.current, slot.next] = [slot.next!, slot.current];
          else slot.device?.dispose();
          slot.device = onDeviceNow;
        }
        await optimizer.apply(updates, current, (update) => {
          const number = (key: (typeof SCALARS)[number]): number =>
            Number(results[SCALAR + scalarNames.get(update[key])!]![0]);
          return {
            lr: number('lr'),
            clip: number('clip'),
            correction1: number('correction1'),
            correction2: number('correction2'),
          };
        });
        return returned;
      });
    },
    dispose: () => session.dispose(),
  };
}

/** A name for each distinct scalar that the updates need. */
function nameScalars(updates: readonly PlannedUpdate[]): Map<Value, string> {
  const names = new Map<Value, string>();
  for (const update of updates) {
    for (const key of SCALARS) if (!names.has(update[key])) names.set(update[key], String(names.size));
  }
  return names;
}

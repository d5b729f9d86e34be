/**
 * Turns a trace into a runnable step: one session whose inputs are state and inputs, whose outputs are new state
 * and outputs. New state is written into the slots' second buffers, which then change places with the first.
 */
import type { OnnxRuntimeBackend } from '../backend.js';
import { order } from '../graph/order.js';
import { allocate, type TypedArray, type Value } from '../graph/value.js';
import { encodeModel, modelMessage } from '../onnx/model.js';
import { OrtSession, type HostArray, type SessionOptions } from '../session/ort.js';
import { hostTensor, type HostTensor } from './host-tensor.js';
import type { StateSlot } from './replayed-function.js';
import type { Trace } from './trace.js';

export interface CompiledStep {
  run(
    slots: ReadonlyMap<string, StateSlot>,
    inputs: Readonly<Record<string, HostTensor>>,
  ): Record<string, HostTensor>;
  dispose(): void;
}

interface Named {
  name: string;
  value: Value;
}

const STATE = 'state/';
const INPUT = 'input/';
const OUTPUT = 'output/';
/** Names of the model's state outputs; its state inputs are already called `state/…`. */
const NEXT = 'next/';

const withPrefix = (entries: ReadonlyMap<string, Value>, prefix: string): Named[] =>
  [...entries]
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, value]) => ({ name: name.slice(prefix.length), value }));

export function compileStep(
  backend: OnnxRuntimeBackend,
  trace: Trace,
  options: SessionOptions,
): CompiledStep {
  // State that is handed back as it came needs no work.
  const changed = withPrefix(trace.outputs, STATE).filter(
    ({ name, value }) => value !== trace.inputs.get(STATE + name),
  );
  const outputs = withPrefix(trace.outputs, OUTPUT);
  const wanted = [
    ...changed.map(({ name, value }) => ({ name: NEXT + name, value })),
    ...outputs.map(({ name, value }) => ({ name: OUTPUT + name, value })),
  ];
  const graph = order(wanted.map(({ value }) => value));
  const used = new Set(graph.leaves);
  const inputs = new Map<Value, string>();
  for (const [name, value] of trace.inputs) if (used.has(value)) inputs.set(value, name);
  const model = encodeModel(modelMessage(graph, { inputs, outputs: wanted }).message);
  const session = new OrtSession(model, { ...backend.sessionOptions, ...options });
  backend.noteSession({
    session,
    inputs: [...inputs.values()],
    outputs: wanted.map((w) => w.name),
    nodes: graph.nodes.length,
    model,
  });
  const fed = [...inputs].map(([value, name]) => ({ name, value }));

  return {
    run(slots, given) {
      const feeds: Record<string, HostArray> = {};
      for (const { name, value } of fed) {
        const data = name.startsWith(STATE)
          ? slots.get(name.slice(STATE.length))!.current
          : (given[name.slice(INPUT.length)]!.data as TypedArray);
        feeds[name] = { type: value.type, shape: value.shape, data };
      }
      const fetches: Record<string, HostArray | null> = {};
      for (const { name, value } of changed) {
        const slot = slots.get(name)!;
        slot.next ??= allocate(slot.type, slot.current.length);
        fetches[NEXT + name] = { type: value.type, shape: value.shape, data: slot.next };
      }
      for (const { name } of outputs) fetches[OUTPUT + name] = null;
      const results = backend.timed(() => session.run(feeds, fetches));
      for (const { name } of changed) {
        const slot = slots.get(name)!;
        [slot.current, slot.next] = [slot.next!, slot.current];
      }
      return Object.fromEntries(
        outputs.map(({ name, value }) => [
          name,
          hostTensor(value.type, value.shape, results[OUTPUT + name]!),
        ]),
      );
    },
    dispose: () => session.dispose(),
  };
}

/**
 * Turns a trace into a step on a device. Two sessions run one after the other, between places that never change:
 *
 * - the first reads state and inputs, and writes outputs, gradients, the scalars of the updates, and new values of state
 *   that AdamW does not update, beside the old ones;
 * - the second updates parameters and moments in place, some 18 ops for each group of parameters, and copies those new
 *   values over the old ones. It runs only if the outputs are finite.
 *
 * Only the step's inputs and outputs pass through main memory.
 */
import { composeAdamW } from '../fused/adamw.js';
import { fuse } from '../graph/fuse.js';
import { halveProducts } from '../graph/half.js';
import { order, type OrderedGraph } from '../graph/order.js';
import { node, placeholder, type Value } from '../graph/value.js';
import { encodeModel } from '../onnx/encode.js';
import { modelMessage } from '../onnx/model.js';
import {
  EXTERNAL_BYTES,
  GRADIENT,
  INPUT,
  NEXT,
  OUTPUT,
  resultsOf,
  SCALAR,
  SCALARS,
  STATE,
} from '../replay/compile-step.js';
import { assertFinite } from '../replay/assert-finite.js';
import { hostTensor, type HostTensor } from '../replay/host-tensor.js';
import { findNonFinite } from '../replay/non-finite.js';
import { threadOptions } from '../session/threads.js';
import type { Trace } from '../replay/trace.js';
import type { HostArray } from '../session/ort.js';
import {
  aligned,
  boundTensor,
  type ComputeDevice,
  type DeviceSession,
  type Place,
} from './compute-device.js';
import { bytesOf, viewOf, type DeviceState } from './device-state.js';

type Inputs = Readonly<Record<string, HostTensor>>;
/** For a step on a device. */
export interface DeviceStepOptions {
  /** 'mixed': matrix products and convolutions in float16. Default 'float32'. */
  precision?: 'float32' | 'mixed';
  /**
   * An output that tells gradients which overflowed float16: where it is not finite, outputs are returned and the state stays as
   * it was.
   */
  overflow?: string;
}

/** How many nodes of each op. */
type OpCounts = Readonly<Record<string, number>>;

export interface DeviceStep {
  run(inputs: Inputs): Record<string, HostTensor>;
  /** Ops of the first and of the second session, and why one of them does not run as a CUDA graph. */
  readonly ops: { step: OpCounts; update: OpCounts };
  readonly notCaptured: string | undefined;
  dispose(): void;
}

/** Places for tensors one after the other in one block. */
class Block {
  #end = 0;
  readonly #offsets: [Place, number][] = [];
  #memory: Place['memory'] | undefined;

  take(bytes: number): Place {
    const place = { memory: undefined as unknown as Place['memory'], offset: this.#end };
    this.#offsets.push([place, this.#end]);
    this.#end += aligned(bytes);
    return place;
  }

  get bytes(): number {
    return this.#end;
  }

  allocate(device: ComputeDevice): void {
    this.#memory = device.allocate(this.#end);
    for (const [place] of this.#offsets) place.memory = this.#memory;
  }

  free(device: ComputeDevice): void {
    if (this.#memory !== undefined) device.free(this.#memory);
  }
}

export function compileDeviceStep(
  device: ComputeDevice,
  state: DeviceState,
  trace: Trace,
  { precision, overflow }: DeviceStepOptions,
): DeviceStep {
  const { outputs, updates, written, wanted, scalarNames } = resultsOf(trace, false);
  const results = [...wanted.values()];
  const ordered = order(results);
  const half = {
    isWeight: (leaf: Value): boolean => leaf.placeholder?.startsWith(STATE) ?? false,
    computeInFloat32: device.options.kind === 'cpu',
  };
  const graph = fuse(precision === 'mixed' ? halveProducts(ordered, results, half) : ordered, results);
  const used = new Set(graph.leaves);
  const inputs = new Map(
    [...trace.inputs].filter(([, value]) => used.has(value)).map(([name, value]) => [value, name]),
  );

  const given = new Block();
  const computed = new Block();
  /** Outputs come first: one copy brings all of them. */
  const returned = [...outputs].map(([name, { type, shape }]) => ({
    name,
    type,
    shape,
    place: computed.take(bytesOf(type, shape)),
  }));
  const outputBytes = computed.bytes;
  const scalars = new Map(
    [...scalarNames].map(([value, name]) => [value, { name, place: computed.take(bytesOf('float32', [])) }]),
  );
  const next = new Map(written.map(([name, { type, shape }]) => [name, computed.take(bytesOf(type, shape))]));
  const inputPlaces = new Map(
    [...inputs]
      .filter(([, name]) => name.startsWith(INPUT))
      .map(([{ type, shape }, name]) => [name, given.take(bytesOf(type, shape))]),
  );
  for (const block of [given, computed]) block.allocate(device);

  const placeOf = (name: string): Place => {
    if (name.startsWith(STATE)) return state.tensor(name.slice(STATE.length)).place;
    if (name.startsWith(INPUT)) return inputPlaces.get(name)!;
    if (name.startsWith(NEXT)) return next.get(name.slice(NEXT.length))!;
    if (name.startsWith(GRADIENT)) return state.gradient(name.slice(GRADIENT.length));
    if (name.startsWith(OUTPUT)) return returned.find((output) => OUTPUT + output.name === name)!.place;
    return [...scalars.values()].find((scalar) => SCALAR + scalar.name === name)!.place;
  };
  const named = [...wanted].map(([name, value]) => ({ name, value }));
  const { message, external } = modelMessage(graph, {
    inputs,
    outputs: named,
    externalBytes: EXTERNAL_BYTES,
  });
  const bound = (name: string, { type, shape }: Value) => boundTensor(name, type, shape, placeOf(name));
  const session = device.createSession({
    model: encodeModel(message),
    external,
    optimized: true,
    inputs: [...inputs].map(([value, name]) => bound(name, value)),
    outputs: named.map(({ name, value }) => bound(name, value)),
  });
  const segments = state.segments(updates);
  const update = updateSession(device, state, segments, scalars, next);

  const readOutputs = (): Record<string, HostTensor> => {
    const bytes = new Uint8Array(outputBytes);
    if (outputBytes > 0) device.read(returned[0]!.place, bytes);
    return Object.fromEntries(
      returned.map(({ name, type, shape, place }) => [
        name,
        hostTensor(type, shape, viewOf(bytes, place.offset, type, shape)),
      ]),
    );
  };
  /** Everything that the graph reads, in main memory. */
  const hostFeeds = (current: Inputs): Record<string, HostArray> =>
    Object.fromEntries(
      [...inputs].map(([{ type, shape }, name]) => {
        const tensor = name.startsWith(STATE)
          ? state.read(name.slice(STATE.length))
          : current[name.slice(INPUT.length)]!;
        return [name, { type, shape, data: tensor.data }];
      }),
    );

  return {
    ops: { step: countOps(graph), update: update?.ops ?? {} },
    get notCaptured() {
      return session.notCaptured ?? update?.session.notCaptured;
    },
    run(current) {
      for (const [name, place] of inputPlaces) device.write(place, current[name.slice(INPUT.length)]!.data);
      session.run();
      const found = readOutputs();
      if (overflow !== undefined && !isFiniteNumber(found[overflow])) return found;
      // Nothing has changed the state yet: a bad step leaves it as it was.
      assertFinite(found, () => findNonFinite(graph, inputs, hostFeeds(current), threadOptions(), undefined));
      update?.session.run();
      return found;
    },
    dispose() {
      session.dispose();
      update?.session.dispose();
      for (const block of [given, computed]) block.free(device);
    },
  };
}

/** Outputs that a function lacks have not overflowed. */
const isFiniteNumber = (output: HostTensor | undefined): boolean =>
  output === undefined || Number.isFinite(Number(output.data[0]));

/** The session that changes the state: AdamW over the segments, and copies of other new values over the old ones. */
function updateSession(
  device: ComputeDevice,
  state: DeviceState,
  segments: ReturnType<DeviceState['segments']>,
  scalars: ReadonlyMap<Value, { name: string; place: Place }>,
  next: ReadonlyMap<string, Place>,
): { session: DeviceSession; ops: OpCounts } | undefined {
  if (segments.length === 0 && next.size === 0) return undefined;
  const inputs = new Map<Value, { name: string; place: Place }>();
  const outputs: { name: string; value: Value; place: Place }[] = [];
  const input = (name: string, value: Pick<Value, 'type' | 'shape'>, place: Place): Value => {
    const made = placeholder(name, value.type, value.shape);
    inputs.set(made, { name, place });
    return made;
  };
  const scalarInputs = new Map(
    [...scalars].map(([value, { name, place }]) => [value, input(SCALAR + name, value, place)]),
  );
  segments.forEach(({ update, length, ...places }, i) => {
    const vector = { type: 'float32' as const, shape: [length] };
    const operands = {
      param: input(`param/${i}`, vector, places.param),
      m: input(`m/${i}`, vector, places.m),
      v: input(`v/${i}`, vector, places.v),
      grad: input(`grad/${i}`, vector, places.grad),
    };
    const [lr, clip, correction1, correction2] = SCALARS.map((name) => scalarInputs.get(update[name])!) as [
      Value,
      Value,
      Value,
      Value,
    ];
    const updated = composeAdamW({ ...operands, lr, clip, correction1, correction2 }, update);
    outputs.push({ name: `newParam/${i}`, value: updated.newParam, place: places.param });
    outputs.push({ name: `newM/${i}`, value: updated.newM, place: places.m });
    outputs.push({ name: `newV/${i}`, value: updated.newV, place: places.v });
  });
  for (const [name, place] of next) {
    const tensor = state.tensor(name);
    const [copy] = node('Identity', [input(NEXT + name, tensor, place)], {}, [tensor]);
    outputs.push({ name: STATE + name, value: copy!, place: tensor.place });
  }
  const graph = order(outputs.map(({ value }) => value));
  const used = new Set(graph.leaves);
  const read = [...inputs].filter(([value]) => used.has(value));
  const names = new Map(read.map(([value, { name }]) => [value, name]));
  const { message } = modelMessage(graph, { inputs: names, outputs });
  const session = device.createSession({
    model: encodeModel(message),
    external: [],
    optimized: false,
    inputs: read.map(([{ type, shape }, { name, place }]) => boundTensor(name, type, shape, place)),
    outputs: outputs.map(({ name, value, place }) => boundTensor(name, value.type, value.shape, place)),
  });
  return { session, ops: countOps(graph) };
}

function countOps({ nodes }: OrderedGraph): OpCounts {
  const counts: Record<string, number> = {};
  for (const { op, domain } of nodes) {
    const name = domain ? `${domain}:${op}` : op;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

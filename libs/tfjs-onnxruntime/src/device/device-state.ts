/**
 * The state of a device function in device memory. What AdamW updates lies in four flat vectors of one layout: parameters,
 * first moments, second moments and gradients, so that one op updates many tensors at once.
 *
 *   [ parameters | first moments | second moments | gradients | other state ]
 *
 * Tensors begin at aligned places; the gaps are zeros in all four vectors, and AdamW leaves zeros zeros.
 */
import { EngineError } from '../errors.js';
import { allocate, sizeOf, type ElementType, type TypedArray } from '../graph/value.js';
import { checkHostTensor, checkSignature, hostTensor, type HostTensor } from '../replay/host-tensor.js';
import type { PlannedUpdate } from '../replay/planned-update.js';
import { aligned, type ComputeDevice, type Place } from './compute-device.js';

interface StateTensor {
  type: ElementType;
  shape: readonly number[];
  place: Place;
}

/** A run of parameters that one update serves: places and length of its parts of the four vectors. */
export interface Segment {
  update: PlannedUpdate;
  length: number;
  param: Place;
  m: Place;
  v: Place;
  grad: Place;
}

export const bytesOf = (type: ElementType, shape: readonly number[]): number =>
  allocate(type, 0).BYTES_PER_ELEMENT * sizeOf(shape);

export class DeviceState {
  readonly #device: ComputeDevice;
  readonly #tensors = new Map<string, StateTensor>();
  /** Updates by parameter, in the order of the flat vectors. */
  #arranged = new Map<string, PlannedUpdate>();
  readonly #gradients = new Map<string, Place>();
  #memory: Place['memory'];
  #bytes = 0;
  /** Bytes of state that passed between main memory and the device since the state was made. */
  readonly moved = { toDevice: 0, fromDevice: 0 };

  constructor(device: ComputeDevice, initial: Readonly<Record<string, HostTensor>>) {
    this.#device = device;
    const tensors = Object.entries(initial).map(
      ([name, tensor]) => [name, checkHostTensor(name, tensor)] as const,
    );
    for (const [name, { dtype, shape }] of tensors) {
      const place = { memory: undefined as unknown as Place['memory'], offset: 0 };
      this.#tensors.set(name, { type: dtype, shape: [...shape], place });
    }
    this.#memory = this.#layOut();
    for (const [name, tensor] of tensors) this.write(name, tensor);
  }

  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws EngineError BAD_STATE */
  tensor(name: string): StateTensor {
    const found = this.#tensors.get(name);
    if (found === undefined) throw new EngineError('BAD_STATE', `there is no state named "${name}".`);
    return found;
  }

  gradient(param: string): Place {
    return this.#gradients.get(param)!;
  }

  read(name: string): HostTensor {
    const { type, shape, place } = this.tensor(name);
    const data = allocate(type, sizeOf(shape));
    this.#device.read(place, data);
    this.moved.fromDevice += data.byteLength;
    return hostTensor(type, shape, data);
  }

  write(name: string, tensor: HostTensor): void {
    const { type, shape, place } = this.tensor(name);
    const { dtype, shape: found, data } = checkHostTensor(name, tensor);
    checkSignature(name, { type: dtype, shape: found }, { type, shape });
    this.#device.write(place, data);
    this.moved.toDevice += data.byteLength;
  }

  /**
   * Puts what these updates change into the flat vectors. Updates that share factors and scalars lie beside each other.
   * @returns whether the state has moved: sessions that are bound to it are out of date
   */
  arrange(updates: readonly PlannedUpdate[]): boolean {
    const added = updates.filter(({ names }) => !this.#arranged.has(names.param));
    if (added.length === 0) return false;
    const all = [...this.#arranged.values(), ...added];
    const key = groupKeys(all);
    const groups = groupBy(all, key);
    this.#arranged = new Map([...groups.values()].flat().map((update) => [update.names.param, update]));
    const contents = this.names.map((name) => [name, this.read(name)] as const);
    this.#device.free(this.#memory);
    this.#memory = this.#layOut();
    for (const [name, tensor] of contents) this.write(name, tensor);
    return true;
  }

  /** Places for all tensors, in new memory. */
  #layOut(): Place['memory'] {
    let end = 0;
    const offsets: [place: { place: Place }, offset: number][] = [];
    const take = (tensor: { place: Place }, bytes: number): void => {
      offsets.push([tensor, end]);
      end += aligned(bytes);
    };
    const updates = [...this.#arranged.values()];
    const flat = new Set<string>();
    for (const part of ['param', 'm', 'v'] as const) {
      for (const { names } of updates) {
        const tensor = this.tensor(names[part]);
        take(tensor, bytesOf(tensor.type, tensor.shape));
        flat.add(names[part]);
      }
    }
    const gradients = updates.map(({ names }) => ({
      param: names.param,
      place: undefined as unknown as Place,
    }));
    for (const gradient of gradients) take(gradient, bytesOf('float32', this.tensor(gradient.param).shape));
    for (const [name, tensor] of this.#tensors)
      if (!flat.has(name)) take(tensor, bytesOf(tensor.type, tensor.shape));

    const memory = this.#device.allocate(end);
    this.#bytes = end;
    for (const [tensor, offset] of offsets) tensor.place = { memory, offset };
    for (const { param, place } of gradients) this.#gradients.set(param, place);
    return memory;
  }

  /** The updates of a step as few runs over the flat vectors. All of them must be arranged. */
  segments(updates: readonly PlannedUpdate[]): Segment[] {
    const key = groupKeys(updates);
    const byOffset = [...updates].sort((a, b) => this.#offsetOf(a) - this.#offsetOf(b));
    const segments: Segment[] = [];
    let last: { key: string; end: number } | undefined;
    for (const update of byOffset) {
      const { shape } = this.tensor(update.names.param);
      const elements = aligned(bytesOf('float32', shape)) / Float32Array.BYTES_PER_ELEMENT;
      const offset = this.#offsetOf(update);
      const end = offset + elements * Float32Array.BYTES_PER_ELEMENT;
      const current = segments.at(-1);
      if (current && last?.key === key(update) && last.end === offset) {
        current.length += elements;
      } else {
        const place = (name: string): Place => this.tensor(name).place;
        const { param, m, v } = update.names;
        segments.push({
          update,
          length: elements,
          param: place(param),
          m: place(m),
          v: place(v),
          grad: this.gradient(param),
        });
      }
      last = { key: key(update), end };
    }
    return segments;
  }

  #offsetOf({ names }: PlannedUpdate): number {
    return this.tensor(names.param).place.offset;
  }

  dispose(): void {
    this.#device.free(this.#memory);
    this.#tensors.clear();
  }
}

/** The same for updates with the same factors that read the same scalars, of one trace or of several. */
function groupKeys(updates: readonly PlannedUpdate[]): (update: PlannedUpdate) => string {
  const rates = new Map<unknown, number>();
  for (const { lr } of updates) if (!rates.has(lr)) rates.set(lr, rates.size);
  return ({ lr, beta1, beta2, epsilon, weightDecay }) =>
    [rates.get(lr), beta1, beta2, epsilon, weightDecay].join(' ');
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** Views into a block that was read whole. @param bytes from an ArrayBuffer that begins at a multiple of 8 */
export function viewOf(
  bytes: Uint8Array,
  offset: number,
  type: ElementType,
  shape: readonly number[],
): TypedArray {
  const { constructor } = allocate(type, 0);
  const length = sizeOf(shape);
  return new (constructor as new (buffer: ArrayBuffer, offset: number, length: number) => TypedArray)(
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset + offset,
    length,
  ).slice();
}

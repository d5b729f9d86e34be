/** The state of a replayed function in main memory, and where it lives on a device. */
import type { TypedArray } from '../graph/value.js';
import type { DeviceTensor } from '../session/device.js';
import type { TensorSignature } from './host-tensor.js';

/** A tensor of the state: the current contents and the buffer that the next step writes. */
export interface StateSlot extends TensorSignature {
  current: TypedArray;
  /** Allocated when a step writes this tensor through the session. */
  next: TypedArray | undefined;
  /** The current contents where they are on the device; `current` is out of date then. */
  device: DeviceTensor | undefined;
  /** The caller's array, which nothing may write to. */
  lent: TypedArray | undefined;
}

/** Makes the contents the slot's own, so that they may be written to. */
export function own(slot: StateSlot): void {
  if (slot.current === slot.lent) slot.current = slot.current.slice();
  slot.lent = undefined;
}

/** The state by name. */
export type Slots = ReadonlyMap<string, StateSlot>;

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
}

/** The state by name. */
export type Slots = ReadonlyMap<string, StateSlot>;

/**
 * Devices with memory of their own, as the addon offers them (native/device_addon.cc): ONNX Runtime's CUDA provider, or the
 * CPU provider over main memory, which takes the same path. All functions work on the calling thread and throw Error.
 */
import type { ElementCode, TensorData } from './tensor-data.js';

declare const handle: unique symbol;
/** ONNX Runtime's provider and the memory that its sessions work in; opaque. */
export interface Device {
  readonly [handle]: 'device';
}
/** A block of a device's memory; opaque. */
export interface DeviceMemory {
  readonly [handle]: 'memory';
}
/** A session whose inputs and outputs always lie in the same places; opaque. */
export interface BoundSession {
  readonly [handle]: 'session';
}

export interface DeviceOptions {
  /** ONNX Runtime's library; the CUDA provider lies beside it. */
  library: string;
  /** Paths of libraries that are opened first, each after those that it needs. */
  preload: readonly string[];
  cuda: boolean;
}

/** A tensor of a model, and where it lies. */
export interface BoundTensor {
  name: string;
  type: ElementCode;
  shape: readonly number[];
  memory: DeviceMemory;
  /** In bytes. */
  offset: number;
}

export interface BoundOptions {
  /** Threads within an op; 0: as many as there are cores. */
  threads: number;
  /** ONNX Runtime's graph optimisation: 0 none, 1 basic, 2 extended, 99 all. */
  optimization: 0 | 1 | 2 | 99;
  /** Profile into a file with this prefix; empty: not at all. */
  profile: string;
  /** What ONNX Runtime writes to its log: 0 all, 1 information, 2 warnings, 3 errors. */
  logLevel: 0 | 1 | 2 | 3;
  /** Contents of constants that the model refers to by path. */
  external: readonly { path: string; data: Uint8Array }[];
  /** Options of the CUDA provider. */
  provider: readonly (readonly [key: string, value: string])[];
  inputs: readonly BoundTensor[];
  outputs: readonly BoundTensor[];
}

export interface DeviceFunctions {
  openDevice(options: DeviceOptions): Device;
  /** Of ONNX Runtime. */
  deviceVersion(device: Device): string;
  /** Zeros at first. */
  allocate(device: Device, bytes: number): DeviceMemory;
  writeMemory(memory: DeviceMemory, offset: number, data: TensorData): void;
  readMemory(memory: DeviceMemory, offset: number, data: TensorData): void;
  createBoundSession(device: Device, model: Uint8Array, options: BoundOptions): BoundSession;
  runBound(session: BoundSession): void;
  endBoundProfiling(session: BoundSession): void;
  releaseBound(session: BoundSession): void;
  /** Sessions that are bound to it keep it. */
  freeMemory(memory: DeviceMemory): void;
}

export const DEVICE_FUNCTIONS = [
  'openDevice',
  'deviceVersion',
  'allocate',
  'writeMemory',
  'readMemory',
  'createBoundSession',
  'runBound',
  'endBoundProfiling',
  'releaseBound',
  'freeMemory',
] as const satisfies (keyof DeviceFunctions)[];

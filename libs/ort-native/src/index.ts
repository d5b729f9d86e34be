/**
 * Loads the addon where it has been built (`npm run native -w libs/ort-native`) for the ONNX Runtime that
 * onnxruntime-node ships. Everything works without it; callers ask `loadNative` and take their other path.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEVICE_FUNCTIONS, type DeviceFunctions } from './device.js';
import type { ElementCode, TensorData } from './tensor-data.js';

export {
  CUDA_LIBRARIES,
  findCudaLibraries,
  ONNXRUNTIME_GPU_VERSION,
  PAIR,
  type CudaLibraries,
} from './cuda.js';

export type { ElementCode, TensorData } from './tensor-data.js';

/** An input, or an output whose contents are written into `data`. */
export interface NativeTensor {
  name: string;
  type: ElementCode;
  shape: readonly number[];
  data: TensorData;
}
export type NativeOutput = NativeTensor | { name: string };
/** An output that ONNX Runtime allocated; null for outputs that were given `data`. */
export type NativeResult = { type: ElementCode; buffer: ArrayBuffer } | null;

export interface NativeSessionOptions {
  /** Threads within an op; 0: as many as there are cores. */
  threads: number;
  /** ONNX Runtime's graph optimisation: 0 none, 1 basic, 2 extended, 99 all. */
  optimization: 0 | 1 | 2 | 99;
  /** Let threads spin while they wait for work: quicker, at the cost of other processes. */
  spinning: boolean;
  /** Profile into a file with this prefix; empty: not at all. */
  profile: string;
  /** Contents of constants that the model refers to by path. */
  external: readonly { path: string; data: Uint8Array }[];
}

export type {
  BoundOptions,
  BoundSession,
  BoundTensor,
  Device,
  DeviceMemory,
  DeviceOptions,
} from './device.js';

declare const session: unique symbol;
/** A session of the addon; opaque. */
export interface NativeSession {
  readonly [session]: true;
}

/** The functions of the addon (native/addon.cc). All throw Error with ONNX Runtime's own message. */
export interface NativeRuntime extends DeviceFunctions {
  createSession(model: Uint8Array, options: NativeSessionOptions): NativeSession;
  /** Runs on the calling thread, which waits. */
  run(
    session: NativeSession,
    inputs: readonly NativeTensor[],
    outputs: readonly NativeOutput[],
  ): NativeResult[];
  /**
   * Runs on another thread. Until the promise settles inputs must not be written to, and outputs with `data` neither read nor
   * written.
   */
  runAsync(
    session: NativeSession,
    inputs: readonly NativeTensor[],
    outputs: readonly NativeOutput[],
  ): Promise<NativeResult[]>;
  endProfiling(session: NativeSession): void;
  /** Frees the session, after the runs that are under way; it must not be used afterwards. */
  release(session: NativeSession): void;
}

const require = createRequire(import.meta.url);
/** Another build of the addon, for instance the one with sanitizers. */
const ADDON =
  process.env.ORT_NATIVE_ADDON ?? fileURLToPath(new URL('../build/ort-native.node', import.meta.url));

interface NativeAddon extends NativeRuntime {
  /** Opens ONNX Runtime's library and returns its version. */
  open(library: string): string;
}
/** What a build has; one that is older than these sources may not. */
const FUNCTIONS = [
  ...['open', 'createSession', 'run', 'runAsync', 'endProfiling', 'release'],
  ...DEVICE_FUNCTIONS,
] as (keyof NativeAddon)[];

export type NativeLoad =
  | { runtime: NativeRuntime; version: string }
  /** Why the addon is not there, in a sentence. */
  | { runtime: undefined; reason: string };

let loaded: NativeLoad | undefined;

/** ONNX Runtime's library that onnxruntime-node ships; undefined where it has none for this platform. */
export const onnxRuntimeLibrary = (): string | undefined => libraryPath();

/** The addon, or why there is none. The first call decides for the whole process. */
export function loadNative(): NativeLoad {
  return (loaded ??= load());
}

function load(): NativeLoad {
  if (!existsSync(ADDON)) {
    return { runtime: undefined, reason: 'the native addon has not been built.' };
  }
  const library = libraryPath();
  if (library === undefined) {
    return {
      runtime: undefined,
      reason: `onnxruntime-node has no library for ${process.platform}-${process.arch}.`,
    };
  }
  try {
    const addon = require(ADDON) as NativeAddon;
    const missing = FUNCTIONS.filter((name) => typeof addon[name] !== 'function');
    if (missing.length > 0) {
      const reason = `the native addon was compiled from other sources (it lacks ${missing.join(', ')}); npm run native -w libs/ort-native compiles it.`;
      return { runtime: undefined, reason };
    }
    return { runtime: addon, version: addon.open(library) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { runtime: undefined, reason: `the native addon did not load: ${reason}` };
  }
}

/** The shared library that onnxruntime-node's binding has loaded. */
function libraryPath(): string | undefined {
  const root = dirname(require.resolve('onnxruntime-node/package.json'));
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  return ['libonnxruntime.so.1', 'libonnxruntime.1.dylib'].map((name) => join(folder, name)).find(existsSync);
}

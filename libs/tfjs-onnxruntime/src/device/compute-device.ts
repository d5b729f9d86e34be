/**
 * Where device functions compute: a GPU through ONNX Runtime's CUDA provider, or the CPU provider on the same path, with
 * main memory as the device's. It needs the native addon.
 */
import type {
  BoundSession,
  BoundTensor,
  Device,
  DeviceMemory,
  ElementCode,
  NativeRuntime,
  TensorData,
} from 'ort-native';
import { EngineError } from '../errors.js';
import { ONNX_ELEMENT, type ElementType } from '../graph/value.js';
import type { ExternalData } from '../onnx/model.js';
import { messageOf } from '../session/ort.js';

/** For {@link openComputeDevice}. */
export interface DeviceOptions {
  kind: 'cuda' | 'cpu';
  /** Folders with ONNX Runtime for CUDA and the libraries that it needs; the first that has one counts. */
  folders?: readonly string[];
  /** Let matrix products round their operands to 10 bits of mantissa (TensorFloat-32). Default false, as in PyTorch. */
  tf32?: boolean;
  /** Record a step as a CUDA graph and replay it, where all of it runs on the GPU. Default true. */
  cudaGraphs?: boolean;
  /** What ONNX Runtime logs of sessions: 'verbose' says where it placed each node. Default 'error'. */
  logLevel?: 'verbose' | 'warning' | 'error';
  /** Threads of the CPU; 0, the default: as many as there are cores. */
  threads?: number;
}

/** A tensor's place in a block of memory. */
export interface Place {
  memory: DeviceMemory;
  /** In bytes. */
  offset: number;
}

/** Tensors begin where the GPU reads whole lines. */
const ALIGNMENT = 256;
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export const boundTensor = (
  name: string,
  type: ElementType,
  shape: readonly number[],
  { memory, offset }: Place,
): BoundTensor => ({ name, type: ONNX_ELEMENT[type] as ElementCode, shape, memory, offset });

/** @throws EngineError DEVICE_UNAVAILABLE with the reason */
export async function openComputeDevice(options: DeviceOptions): Promise<ComputeDevice> {
  const addon = await import('ort-native').catch((cause: unknown) => {
    throw unavailable(options.kind, `the package ort-native is not installed (${messageOf(cause)})`);
  });
  const loaded = addon.loadNative();
  if (loaded.runtime === undefined) throw unavailable(options.kind, loaded.reason);
  const { runtime } = loaded;
  const cuda = options.kind === 'cuda';
  const found = cuda ? addon.findCudaLibraries(options.folders ?? []) : undefined;
  if (found && (found.core === undefined || found.missing.length > 0)) {
    const folders = (options.folders ?? []).join(', ') || 'no folder';
    throw unavailable(
      options.kind,
      `these libraries are missing: ${found.missing.join(', ')}; looked in ${folders}`,
    );
  }
  const library = found?.core ?? addon.onnxRuntimeLibrary()!;
  try {
    const device = runtime.openDevice({ library, preload: found?.libraries ?? [], cuda });
    // The first touch of the device finds out about driver and GPU.
    runtime.freeMemory(runtime.allocate(device, ALIGNMENT));
    return new ComputeDevice(runtime, device, options);
  } catch (cause) {
    throw unavailable(options.kind, messageOf(cause), cause);
  }
}

const unavailable = (kind: string, reason: string, cause?: unknown): EngineError =>
  new EngineError('DEVICE_UNAVAILABLE', `there is no ${kind} device: ${reason.replace(/[.]$/, '')}.`, {
    cause,
  });

/** A device that ONNX Runtime computes on, and blocks of its memory. */
export class ComputeDevice {
  readonly #runtime: NativeRuntime;
  readonly #device: Device;
  readonly options: DeviceOptions;
  /** Of ONNX Runtime. */
  readonly version: string;

  constructor(runtime: NativeRuntime, device: Device, options: DeviceOptions) {
    this.#runtime = runtime;
    this.#device = device;
    this.options = options;
    this.version = runtime.deviceVersion(device);
  }

  /** Zeros at first. */
  allocate(bytes: number): DeviceMemory {
    return this.#runtime.allocate(this.#device, bytes);
  }

  /** Gives a block back; nothing may run in it. */
  free(memory: DeviceMemory): void {
    this.#runtime.freeMemory(memory);
  }

  /** Copies from main memory. */
  write({ memory, offset }: Place, data: TensorData): void {
    this.#runtime.writeMemory(memory, offset, data);
  }

  /** Copies to main memory. */
  read({ memory, offset }: Place, data: TensorData): void {
    this.#runtime.readMemory(memory, offset, data);
  }

  /** @throws EngineError SESSION_CREATE_FAILED */
  createSession(model: SessionModel): DeviceSession {
    return new DeviceSession(this.#runtime, this.#device, model, this.options);
  }
}

export interface SessionModel {
  model: Uint8Array;
  external: readonly ExternalData[];
  /** False: the graph runs as it is written. Needed where outputs lie in the place of inputs. */
  optimized: boolean;
  inputs: readonly BoundTensor[];
  outputs: readonly BoundTensor[];
}

/** A session between fixed places. */
export class DeviceSession {
  readonly #runtime: NativeRuntime;
  readonly #create: (cudaGraph: boolean) => BoundSession;
  #session: BoundSession;
  #cudaGraph: boolean;
  #disposed = false;
  /** Why the session does not run as a CUDA graph although that was asked for. */
  notCaptured: string | undefined;

  constructor(runtime: NativeRuntime, device: Device, parts: SessionModel, options: DeviceOptions) {
    this.#runtime = runtime;
    this.#create = (cudaGraph) =>
      runtime.createBoundSession(device, parts.model, {
        threads: options.threads ?? 0,
        optimization: parts.optimized ? 99 : 0,
        profile: '',
        logLevel: LOG_LEVELS[options.logLevel ?? 'error'],
        external: parts.external,
        provider: options.kind === 'cuda' ? cudaProvider(options, cudaGraph) : [],
        inputs: parts.inputs,
        outputs: parts.outputs,
      });
    this.#cudaGraph = options.kind === 'cuda' && options.cudaGraphs !== false;
    try {
      this.#session = this.#createOrWithoutGraph();
    } catch (cause) {
      throw new EngineError('SESSION_CREATE_FAILED', `ONNX Runtime refused the graph: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  #createOrWithoutGraph(): BoundSession {
    if (!this.#cudaGraph) return this.#create(false);
    try {
      return this.#create(true);
    } catch (cause) {
      this.#giveUpGraph(cause);
      return this.#create(false);
    }
  }

  #giveUpGraph(cause: unknown): void {
    this.notCaptured = messageOf(cause);
    this.#cudaGraph = false;
  }

  /** Runs on the calling thread. @throws EngineError SESSION_RUN_FAILED */
  run(): void {
    if (this.#disposed) throw new EngineError('DISPOSED', 'the session has been released.');
    try {
      this.#runtime.runBound(this.#session);
    } catch (cause) {
      // Recording a graph computes nothing, so the run can be made again without one.
      if (!this.#cudaGraph) throw runFailed(cause);
      this.#giveUpGraph(cause);
      this.#runtime.releaseBound(this.#session);
      try {
        this.#session = this.#create(false);
        this.#runtime.runBound(this.#session);
      } catch (again) {
        throw runFailed(again);
      }
    }
  }

  dispose(): void {
    if (!this.#disposed) this.#runtime.releaseBound(this.#session);
    this.#disposed = true;
  }
}

const LOG_LEVELS = { verbose: 0, warning: 2, error: 3 } as const;

const runFailed = (cause: unknown): EngineError =>
  new EngineError('SESSION_RUN_FAILED', `ONNX Runtime could not run the graph: ${messageOf(cause)}`, {
    cause,
  });

/** Searching for the fastest convolution takes longer than a short training run has steps, so cuDNN's rule of thumb chooses. */
const cudaProvider = ({ tf32 = false }: DeviceOptions, cudaGraph: boolean): [string, string][] => [
  ['device_id', '0'],
  ['arena_extend_strategy', 'kSameAsRequested'],
  ['cudnn_conv_algo_search', 'HEURISTIC'],
  ['use_tf32', tf32 ? '1' : '0'],
  ['enable_cuda_graph', cudaGraph ? '1' : '0'],
];

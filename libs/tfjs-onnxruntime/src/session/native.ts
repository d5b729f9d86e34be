/** Whether the optional native addon is there, and which session options it takes. */
import type { NativeLoad, NativeRuntime } from 'ort-native';
import type { SessionOptions } from './ort.js';

const loadNative = await import('ort-native').then((addon) => addon.loadNative, withoutPackage);

/** The package is an optional dependency. Any other failure to import it is an error. */
function withoutPackage(error: unknown): () => NativeLoad {
  if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
  return () => ({ runtime: undefined, reason: 'the package ort-native is not installed.' });
}

/** The options that the addon supports; sessions with any other option go through onnxruntime-node. */
const KNOWN: ReadonlySet<string> = new Set([
  'executionProviders',
  'graphOptimizationLevel',
  'intraOpNumThreads',
  'externalData',
  'enableProfiling',
  'profileFilePrefix',
] satisfies (keyof SessionOptions)[]);

/** The addon, when it is there and knows all of these options. */
export function nativeRuntimeFor(options: SessionOptions): NativeRuntime | undefined {
  const { executionProviders = ['cpu'] } = options;
  if (executionProviders.length !== 1 || executionProviders[0] !== 'cpu') return undefined;
  if (Object.keys(options).some((key) => !KNOWN.has(key))) return undefined;
  return loadNative().runtime;
}

/** Whether replayed steps on the CPU run in the addon, with one arena for all of them. */
export const hasNativeAddon = (): boolean => loadNative().runtime !== undefined;

/** Which of the two runs replayed steps on the CPU, and why, for a line on the terminal. */
export function nativeStatus(): string {
  const found = loadNative();
  return found.runtime
    ? `native addon on ONNX Runtime ${found.version}`
    : `no native addon: ${found.reason.replace(/[.]$/, '')}`;
}

/**
 * Libraries with the names and symbols of CUDA's that compute nothing: with them ONNX Runtime's real CUDA provider opens on a
 * machine without a GPU and decides which nodes of a graph it takes, which is all that can be asked of them. Memory of the
 * device is main memory; kernels are not run.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CUDA_LIBRARIES, PAIR } from '../../libs/ort-native/dist/index.js';

const DRIVER = 'libcuda.so.1';

/** Functions whose results are used; all others return 0, success. cudaDeviceProp's fields are those of CUDA 13. */
const FUNCTIONS = `
#include <stdlib.h>
#include <string.h>
#define MAKE(name) int name(void **made) { *made = malloc(64); return 0; }
#define ALLOCATE(name) int name(void **made, size_t bytes) { *made = calloc(1, bytes ? bytes : 1); return 0; }
#define FREE(name) int name(void *data) { free(data); return 0; }
#define NUMBER(name, value) int name(int *number) { *number = value; return 0; }
NUMBER(cudaGetDeviceCount, 1)
NUMBER(cudaGetDevice, 0)
NUMBER(cudaRuntimeGetVersion, 13000)
NUMBER(cudaDriverGetVersion, 13000)
ALLOCATE(cudaMalloc)
ALLOCATE(cudaMallocHost)
ALLOCATE(cudaHostAlloc)
FREE(cudaFree)
FREE(cudaFreeHost)
MAKE(cudaStreamCreate)
MAKE(cudaStreamCreateWithFlags)
MAKE(cudaEventCreate)
MAKE(cudaEventCreateWithFlags)
MAKE(cublasCreate_v2)
MAKE(cublasLtCreate)
MAKE(cudnnCreate)
int cudnnSetStream(void *handle, void *stream) { return 0; }
int cudnnDestroy(void *handle) { return 0; }
size_t cudnnGetVersion(void) { return 91501; }
const char *cudnnGetErrorString(int code) { return "a stand-in for cuDNN"; }
int cudaMemcpy(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t bytes) { memcpy(to, from, bytes); return 0; }
int cudaMemset(void *to, int value, size_t bytes) { memset(to, value, bytes); return 0; }
int cudaMemsetAsync(void *to, int value, size_t bytes) { memset(to, value, bytes); return 0; }
int cudaMemGetInfo(size_t *available, size_t *total) { *available = *total = (size_t)1 << 37; return 0; }
int cudaDeviceGetAttribute(int *value, int attribute) { *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 132; return 0; }
const char *cudaGetErrorString(int code) { return "a stand-in for CUDA"; }
const char *cudaGetErrorName(int code) { return "a stand-in for CUDA"; }
void **__cudaRegisterFatBinary(void *binary) { static void *handle[4]; return handle; }
int cudaGetDeviceProperties(char *properties, int device) {
  memset(properties, 0, 700);
  strcpy(properties, "stand-in");
  *(size_t *)(properties + 288) = (size_t)1 << 37; /* totalGlobalMem */
  *(size_t *)(properties + 296) = 49152;           /* sharedMemPerBlock */
  *(int *)(properties + 308) = 32;                 /* warpSize */
  *(int *)(properties + 320) = 1024;               /* maxThreadsPerBlock */
  *(int *)(properties + 360) = 9;                  /* major */
  *(int *)(properties + 384) = 132;                /* multiProcessorCount */
  return 0;
}
`;

/** @param {string} command @param {string[]} args */
function output(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** Symbols that a library takes from others, by the version that each carries. @param {string} library */
function symbolsOf(library) {
  /** @type {Map<string, string[]>} */
  const byVersion = new Map();
  for (const line of output('nm', ['-D', '--undefined-only', library]).split('\n')) {
    const [symbol = '', version = DRIVER] = (line.trim().split(/\s+/).at(-1) ?? '').split(/@+/);
    if (!/^(?:_*cu|nv)/.test(symbol)) continue;
    byVersion.set(version, [...(byVersion.get(version) ?? []), symbol]);
  }
  return byVersion;
}

/**
 * Fills `folder` with the stand-ins, and links to the provider that is asked.
 * @param {string} folder @param {string} pair  the folder of ONNX Runtime for CUDA
 */
export function makeStandIns(folder, pair) {
  mkdirSync(folder, { recursive: true });
  for (const name of PAIR) symlinkSync(path.join(pair, name), path.join(folder, name));
  const symbols = symbolsOf(path.join(pair, 'libonnxruntime_providers_cuda.so'));
  const defined = new Set(FUNCTIONS.match(/\b_*cu[A-Za-z]\w*(?=[,()])/g));
  for (const name of [...CUDA_LIBRARIES, DRIVER]) {
    const wanted = symbols.get(name) ?? [];
    const source = path.join(folder, `${name}.c`);
    const versions = path.join(folder, `${name}.map`);
    writeFileSync(
      source,
      FUNCTIONS +
        wanted
          .filter((symbol) => !defined.has(symbol))
          .map((symbol) => `int ${symbol}(void) { return 0; }\n`)
          .join(''),
    );
    writeFileSync(
      versions,
      wanted.length > 0 && name !== DRIVER ? `${name} { global: *; };\n` : '{ global: *; };\n',
    );
    output(process.env.CC ?? 'cc', [
      ...['-w', '-shared', '-fPIC', `-Wl,-soname,${name}`, `-Wl,--version-script=${versions}`],
      ...[source, '-o', path.join(folder, name)],
    ]);
  }
}

/** The real command over folders that look like an installation. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CUDA_LIBRARIES, findCudaLibraries, ONNXRUNTIME_GPU_VERSION, PAIR } from 'ort-native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cudaCacheFolder } from '../../apps/trainer/src/backend/native-folder.js';
import { fakeProvider } from './test/fake-provider.js';

const DOCTOR = fileURLToPath(new URL('./doctor.mjs', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'native-doctor-'));
const folder = (name: string) => path.join(root, name);

/** nvidia-smi as a driver of this version with this GPU would answer. */
function writeDriver(name: string, answer: string): void {
  mkdirSync(folder(name));
  writeFileSync(path.join(folder(name), 'nvidia-smi'), `#!/bin/sh\necho '${answer}'\n`);
  chmodSync(path.join(folder(name), 'nvidia-smi'), 0o755);
}

function doctor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [DOCTOR, ...args], {
    encoding: 'utf8',
    env: { ...process.env, CLIP_NATIVE_CACHE: folder('cache'), ...env },
  });
  return { status, stdout, stderr };
}

beforeAll(() => {
  for (const name of ['pair', 'cuda']) mkdirSync(folder(name), { recursive: true });
  const code = Buffer.alloc(16, 1);
  const provider = fakeProvider([[75, 80, 90].map((architecture) => ({ architecture, code }))]);
  for (const name of PAIR) writeFileSync(path.join(folder('pair'), name), provider);
  for (const name of CUDA_LIBRARIES) writeFileSync(path.join(folder('cuda'), `${name}.0`), '');
  writeDriver('hopper', '580.159.04, 9.0, NVIDIA H200');
  writeDriver('old', '535.54.03, 9.0, NVIDIA H100');
  writeDriver('blackwell', '590.44, 10.0, NVIDIA B200');
});
afterAll(() => rmSync(root, { recursive: true }));

const withDriver = (name: string): NodeJS.ProcessEnv => ({
  PATH: `${folder(name)}:${process.env.PATH}`,
  CLIP_CUDA_PATH: `${folder('pair')}:${folder('cuda')}`,
});

describe('native:doctor', () => {
  it('finds nothing wrong where libraries, driver and GPU fit', () => {
    const { stdout } = doctor(['--backend', 'onnxruntime-cuda'], withDriver('hopper'));
    expect(stdout).toMatch(/^ok {7}ONNX Runtime 1\.30\.0 for CUDA: /m);
    expect(stdout).toMatch(/^ok {7}CUDA 13 and cuDNN 9 libraries: all 14$/m);
    expect(stdout).toMatch(/^ok {7}NVIDIA driver: 580\.159\.04$/m);
    expect(stdout).toMatch(/^ok {7}GPU: NVIDIA H200, sm_90$/m);
    expect(stdout).toMatch(/^ok {7}code for the GPU: sm_75 sm_80 sm_90; the GPU is sm_90$/m);
  });

  it('names a driver that is too old, and a GPU that the provider has no code for', () => {
    const old = doctor(['--backend', 'onnxruntime-cuda'], withDriver('old'));
    expect(old.status).toBe(1);
    expect(old.stdout).toMatch(/^MISSING {2}NVIDIA driver: 535\.54\.03\n +install .* version 580 or newer$/m);
    const newer = doctor(['--backend', 'onnxruntime-cuda'], withDriver('blackwell'));
    expect(newer.status).toBe(1);
    expect(newer.stdout).toMatch(/^MISSING {2}code for the GPU: .*; the GPU is sm_100$/m);
  });

  it('lists what is in no folder, says how to get it, and is not ready', () => {
    const { status, stdout } = doctor(['--backend', 'onnxruntime-cuda'], { CLIP_CUDA_PATH: folder('cuda') });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^MISSING {2}ONNX Runtime 1\.30\.0 for CUDA: not whole in any of /m);
    expect(stdout).toContain('npm run native:install -- --cuda');
    expect(stdout).toMatch(/^ok {7}CUDA 13 and cuDNN 9 libraries/m);
    expect(stdout).toMatch(/^not ready: \d of \d missing$/m);
  });

  it('without a name reports every backend, and succeeds with the default one', () => {
    const { status, stdout } = doctor([]);
    expect(status).toBe(0);
    for (const name of ['onnxruntime', 'onnxruntime-cuda', 'tfjs-node', 'tfjs-node-gpu'])
      expect(stdout).toMatch(new RegExp(`^${name}: `, 'm'));
    expect(stdout).toContain('onnxruntime-node: ');
  });

  it('refuses a backend that it does not know', () => {
    const { status, stderr } = doctor(['--backend', 'warp']);
    expect(status).toBe(2);
    expect(stderr).toContain(
      "--backend must be one of onnxruntime, onnxruntime-cuda, tfjs-node, tfjs-node-gpu; found 'warp'",
    );
  });
});

describe('the CUDA libraries', () => {
  it('are of the version of onnxruntime-node', () => {
    const require = createRequire(import.meta.url);
    const { version } = require('onnxruntime-node/package.json') as { version: string };
    expect(ONNXRUNTIME_GPU_VERSION).toBe(version);
    expect(cudaCacheFolder({ CLIP_NATIVE_CACHE: '/c' })).toBe(`/c/onnxruntime-gpu-${version}/lib`);
  });

  it('come from the first folder that has them, the pair from one folder', () => {
    const found = findCudaLibraries([folder('nowhere'), folder('cuda'), folder('pair')]);
    expect(found.core).toBe(path.join(folder('pair'), 'libonnxruntime.so.1'));
    expect(found.libraries[0]).toBe(path.join(folder('cuda'), 'libcudart.so.13.0'));
    expect(found.missing).toEqual([]);
  });
});

/** Wheels from a package index on this machine, fetched by the real pip. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { CUDA13, ONNXRUNTIME_GPU } from './cuda-wheels.mjs';
import { installLibraries } from './libraries.mjs';
import { chooseFlavour } from './flavours.mjs';
import { CPU, GPU } from './wheels.mjs';
import { CPU_2_20, GPU_2_20 } from './wheels-2.20.mjs';

const hasPip = spawnSync('python3', ['-m', 'pip', '--version']).status === 0;
const root = mkdtempSync(path.join(tmpdir(), 'native-libraries-'));
const index = path.join(root, 'simple');
let server: ChildProcess;

/** A wheel in the index that holds these files, and its pin. */
function publish(
  name: string,
  files: Record<string, string>,
  libraries: (string | { from: string; to: string })[],
) {
  const module = name.replaceAll('-', '_');
  const folder = path.join(index, name);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${module}-1.0-py3-none-manylinux_2_27_x86_64.whl`);
  const info = `${module}-1.0.dist-info`;
  const members = {
    ...files,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_27_x86_64\n',
    [`${info}/RECORD`]: '',
  };
  const program =
    'import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as wheel:\n for name, text in json.loads(sys.argv[2]).items(): wheel.writestr(name, text)';
  spawnSync('python3', ['-c', program, file, JSON.stringify(members)]);
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  return { wheel: { name, version: '1.0', sha256, libraries }, file };
}

beforeAll(async () => {
  mkdirSync(index);
  // Prints the port that it got; directory listings are what pip reads.
  server = spawn('python3', ['-u', '-m', 'http.server', '0', '--bind', '127.0.0.1', '--directory', root], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const port = await new Promise<string>((resolve) => {
    server.stdout!.on('data', (text: Buffer) => {
      const found = / port (\d+)/.exec(String(text))?.[1];
      if (found) resolve(found);
    });
  });
  vi.stubEnv('PIP_INDEX_URL', `http://127.0.0.1:${port}/simple`);
  vi.stubEnv('PIP_CONFIG_FILE', '/dev/null');
  vi.stubEnv('PIP_RETRIES', '0');
  for (const name of ['PIP_EXTRA_INDEX_URL', 'PIP_FIND_LINKS', 'PIP_CONSTRAINT']) vi.stubEnv(name, undefined);
  vi.stubEnv('NO_PROXY', '127.0.0.1');
});
afterAll(() => {
  server?.kill();
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const silent = () => undefined;
let target: string;
beforeEach(() => {
  target = path.join(mkdtempSync(path.join(root, 'target-')), 'libraries');
});
afterEach(() => rmSync(index, { recursive: true, force: true }));

describe.skipIf(!hasPip)('libraries out of wheels', () => {
  it('are all that is taken, under the names that are asked for', async () => {
    const { wheel } = publish(
      'demo-runtime',
      {
        'demo/lib/libdemo.so.13': 'machine code',
        'demo/lib/libdemo_static.a': 'large',
        'demo/__init__.py': '',
      },
      [{ from: 'libdemo.so.13', to: 'libdemo.so' }],
    );
    await installLibraries(target, [wheel], silent);
    expect(readdirSync(path.join(target, 'lib'))).toEqual(['libdemo.so']);
    expect(readFileSync(path.join(target, 'lib/libdemo.so'), 'utf8')).toBe('machine code');
    expect(readdirSync(target).sort()).toEqual(['complete', 'include', 'lib']);
  });

  it('are refused when the wheel is not the pinned one, and nothing is installed', async () => {
    const { wheel } = publish('demo-other', { 'demo/libother.so': 'x' }, ['libother.so']);
    const pinned = { ...wheel, sha256: '0'.repeat(64) };
    await expect(installLibraries(target, [pinned], silent)).rejects.toThrow(
      'could not fetch demo-other 1.0',
    );
    expect(existsSync(target)).toBe(false);
  });

  it('of an interrupted install are not fetched again', async () => {
    const first = publish('demo-first', { 'demo/libfirst.so': '1' }, ['libfirst.so']);
    const second = publish('demo-second', { 'demo/libsecond.so': '2' }, ['libsecond.so']);
    const wheels = [first.wheel, second.wheel];
    renameSync(second.file, `${second.file}.away`);
    await expect(installLibraries(target, wheels, silent)).rejects.toThrow('what was fetched is kept');
    expect(existsSync(target)).toBe(false);

    renameSync(`${second.file}.away`, second.file);
    rmSync(first.file);
    const said: string[] = [];
    await installLibraries(target, wheels, (line) => said.push(line));
    expect(said).toEqual(['fetching demo-second 1.0', 'unpacking demo-second']);
    expect(readdirSync(path.join(target, 'lib')).sort()).toEqual(['libfirst.so', 'libsecond.so']);

    await installLibraries(target, wheels, (line) => said.push(line));
    expect(said).toHaveLength(2);
  });
});

describe('the pins', () => {
  it('are SHA-256 sums, one for each wheel', () => {
    const flavours = [CPU, GPU, CPU_2_20, GPU_2_20];
    const tensorflow = flavours.flatMap(({ tensorflow, cuda }) => [tensorflow, ...cuda]);
    const wheels = [ONNXRUNTIME_GPU, ...CUDA13, ...tensorflow];
    for (const { sha256 } of wheels) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(wheels.map(({ sha256 }) => sha256)).size).toBe(wheels.length);
  });

  it('choose TensorFlow 2.20 for Hopper, 2.15 elsewhere, and what is asked for first', () => {
    expect(chooseFlavour({ gpu: true, architecture: 90 })).toBe(GPU_2_20);
    expect(chooseFlavour({ gpu: true, architecture: 89 })).toBe(GPU);
    expect(chooseFlavour({ gpu: false, architecture: 90 })).toBe(CPU);
    expect(chooseFlavour({ gpu: false, tensorflow: '2.20' })).toBe(CPU_2_20);
    expect(chooseFlavour({ gpu: true, tensorflow: '2.15', architecture: 90 })).toBe(GPU);
    expect(() => chooseFlavour({ gpu: true, tensorflow: '3' })).toThrow("one of 2.15, 2.20; found '3'");
  });
});

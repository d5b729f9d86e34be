/** The package as others install it: the files of `npm pack` and the dependencies that they declare, nothing else. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const engine = resolve(import.meta.dirname, '..');
const addon = resolve(import.meta.dirname, '../../ort-native');
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'packed-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The folder of a dependency as a package in `from` finds it. */
function dependencyFolder(name: string, from: string): string {
  const paths = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  const found = paths.map((path) => join(path, name)).find(existsSync);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}

interface Packed {
  name: string;
  file: string;
}
const packed = new Map<string, Packed>();
/** A package of the workspace as `npm pack` makes it, once for all projects. */
function pack(source: string): Packed {
  const known = packed.get(source);
  if (known !== undefined) return known;
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const output = execFileSync('npm', args, {
    cwd: source,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ name, filename }] = JSON.parse(output) as [{ name: string; filename: string }];
  const made = { name, file: join(folder, filename) };
  packed.set(source, made);
  return made;
}

/** A project that has installed these packages of the workspace, packed, and `extra` dependencies of theirs. */
function project(name: string, packages: string[], extra: string[]): string {
  const root = join(folder, name);
  const link = (dependency: string, from: string) => {
    const target = join(root, 'node_modules', dependency);
    if (existsSync(target)) return;
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(dependencyFolder(dependency, from), target, 'dir');
  };
  for (const source of packages) {
    const { name: packageName, file } = pack(source);
    const installed = join(root, 'node_modules', packageName);
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', file, '-C', installed, '--strip-components=1']);
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const dependency of Object.keys(manifest.dependencies)) link(dependency, source);
  }
  for (const dependency of extra) link(dependency, engine);
  // Examples import the package by its name, as programs beside node_modules do.
  cpSync(join(root, 'node_modules/tfjs-onnxruntime/examples'), join(root, 'examples'), { recursive: true });
  return root;
}

/** What an example prints, in a short version of its run. */
function runExample(root: string, model: 'cnn' | 'mlp'): { accuracy: number; status: string } {
  const [maker, epochs] = { cnn: ['makeConvolutional', 3], mlp: ['makePerceptron', 6] }[model];
  const program = `
    import * as tf from '@tensorflow/tfjs-core';
    import { nativeStatus } from 'tfjs-onnxruntime';
    import { ${maker} } from './examples/${model}.mjs';
    import { trainOnDigits } from './examples/train.mjs';
    await tf.setBackend('onnxruntime');
    const accuracy = await trainOnDigits(${maker}(), { epochs: ${epochs}, trainSize: 1024, testSize: 256 });
    console.log(JSON.stringify({ accuracy, status: nativeStatus() }));`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as { accuracy: number; status: string };
}

const FOR_EXAMPLES = ['@tensorflow/tfjs-layers'];

describe('the packed engine', { timeout: 240_000 }, () => {
  it('trains a convolutional network without the addon', () => {
    const root = project('alone', [engine], FOR_EXAMPLES);
    const { accuracy, status } = runExample(root, 'cnn');
    expect(accuracy).toBeGreaterThan(0.8);
    expect(status).toBe('no native addon: the package ort-native is not installed');
  });

  it.skipIf(!existsSync(join(addon, 'build', 'ort-native.node')))(
    'trains a multilayer perceptron beside the packed addon, which compiles itself',
    () => {
      const root = project('with-addon', [addon, engine], FOR_EXAMPLES);
      // Half of the compiler's time goes into optimising what runs for a second here.
      const compiler = join(folder, 'c++');
      writeFileSync(compiler, '#!/bin/sh\nexec c++ "$@" -O1\n', { mode: 0o755 });
      execFileSync('npm', ['run', 'install'], {
        cwd: join(root, 'node_modules/ort-native'),
        env: { ...process.env, CXX: compiler },
        stdio: 'ignore',
      });
      const { accuracy, status } = runExample(root, 'mlp');
      expect(accuracy).toBeGreaterThan(0.8);
      expect(status).toMatch(/^native addon on ONNX Runtime \d/);
    },
  );
});

/** What the native addon says of a library that is not the ONNX Runtime it was made for, and that it takes the right one afterwards. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadNative, onnxRuntimeLibrary } from 'ort-native';
import { afterAll, beforeAll, expect, it } from 'vitest';

const isBuilt = loadNative().runtime !== undefined;
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'library-'))));
afterAll(() => rmSync(folder, { recursive: true }));

/** A library whose OrtGetApiBase gives this, in C++. */
function library(name: string, base: string): string {
  const source = join(folder, `${name}.cc`);
  writeFileSync(
    source,
    `struct Base { void* (*GetApi)(unsigned); const char* (*GetVersionString)(); };
    static void* none(unsigned) { return nullptr; }
    static const char* version() { return "3.2.1"; }
    static Base base{none, version};
    ${base}`,
  );
  const file = join(folder, `${name}.so`);
  execFileSync(process.env.CXX ?? 'c++', ['-shared', '-fPIC', '-o', file, source]);
  return file;
}

it.skipIf(!isBuilt)('a library that is not the right ONNX Runtime is refused by name and version', () => {
  const addon =
    process.env.ORT_NATIVE_ADDON ??
    createRequire(import.meta.url)
      .resolve('ort-native')
      .replace(/(src|dist).index\.[jt]s$/, 'build/ort-native.node');
  const other = join(folder, 'text.so');
  writeFileSync(other, 'not a library');
  const libraries = [
    other,
    library('nothing', ''),
    library('empty', 'extern "C" Base* OrtGetApiBase() { return nullptr; }'),
    library('newer', 'extern "C" Base* OrtGetApiBase() { return &base; }'),
    onnxRuntimeLibrary()!,
  ];
  // A process of its own: this one has opened its library.
  const program = `
    const { open } = require(process.argv[1]);
    const said = process.argv.slice(2).map((file) => {
      try { return open(file); } catch (error) { return error.message; }
    });
    console.log(JSON.stringify(said));`;
  const output = execFileSync(process.execPath, ['-e', program, addon, ...libraries], { encoding: 'utf8' });
  const [text, nothing, empty, newer, right] = JSON.parse(output) as string[];
  expect(text).toContain('text.so');
  expect(nothing).toMatch(/nothing\.so is not ONNX Runtime: it has no OrtGetApiBase/);
  expect(empty).toMatch(/empty\.so is not ONNX Runtime/);
  expect(newer).toMatch(/ONNX Runtime 3\.2\.1 \(.*newer\.so\) does not offer version 18 .* install/);
  expect(right).toMatch(/^1\.\d+/);
});

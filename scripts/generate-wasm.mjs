/**
 * Compiles the AssemblyScript sources of the workspace to WebAssembly and writes each as a module into the `generated`
 * folder beside its source tree. Does nothing where source and compiler are those of the last run.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Projects with assembly/NAME.ts, which becomes src/generated/NAME-wasm.ts. @type {[project: string, name: string][]} */
const SOURCES = [
  ['libs/clip', 'resample'],
  ['libs/clip', 'normalize'],
  ['libs/clip', 'jpeg'],
  ['apps/api', 'dot'],
];

const OPTIONS = [
  '--enable',
  'simd',
  '--runtime',
  'stub',
  '-O3',
  '--noAssert',
  '--importMemory',
  '--use',
  'abort=',
];

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = createRequire(import.meta.url).resolve('assemblyscript/package.json');
const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'));

for (const [project, name] of SOURCES) generate(project, name);

/** @param {string} project @param {string} name */
function generate(project, name) {
  const source = join(repository, project, 'assembly', `${name}.ts`);
  const output = join(repository, project, 'src', 'generated', `${name}-wasm.ts`);
  const state = createHash('sha256')
    .update([version, ...OPTIONS, ...sourcesOf(source)].join('\n'))
    .digest('hex');
  const head = `/* Made from assembly/${name}.ts by scripts/generate-wasm.mjs (${state}). */\n`;
  if (existsSync(output) && readFileSync(output, 'utf8').startsWith(head)) return;
  const base64 = compile(source).toString('base64');
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${head}export const ${name.toUpperCase()}_WASM = '${base64}';\n`);
  console.log(`assemblyscript ${version}: ${project}/src/generated/${name}-wasm.ts written`);
}

/**
 * The text of a source and of the sources beside it that it imports.
 * @param {string} source @returns {string[]}
 */
function sourcesOf(source) {
  const text = readFileSync(source, 'utf8');
  const imports = [...text.matchAll(/from '\.\/(?<name>[\w-]+)'/g)].map(({ groups }) => groups?.name);
  return [text, ...imports.flatMap((name) => sourcesOf(join(dirname(source), `${name}.ts`)))];
}

/** @param {string} source @returns {Buffer} the binary module; ends the process when there is none */
function compile(source) {
  const folder = mkdtempSync(join(tmpdir(), 'generate-wasm-'));
  try {
    const binary = join(folder, 'module.wasm');
    const compiler = join(dirname(manifest), bin.asc);
    const run = spawnSync(process.execPath, [compiler, source, '--outFile', binary, ...OPTIONS], {
      encoding: 'utf8',
    });
    if (run.status === 0) return readFileSync(binary);
    process.stderr.write(`${source} cannot be compiled\n${run.stdout ?? ''}${run.stderr ?? ''}\n`);
    process.exit(run.status ?? 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Compiles libs/clip/assembly (AssemblyScript) to WebAssembly and writes it as a module into
 * libs/clip/src/generated. Does nothing when the source and the compiler are those of the last run.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

const library = join(dirname(dirname(fileURLToPath(import.meta.url))), 'libs', 'clip');
const manifest = createRequire(import.meta.url).resolve('assemblyscript/package.json');
const { version, bin } = JSON.parse(readFileSync(manifest, 'utf8'));

/** @param {string} name of the source, without extension */
function generate(name) {
  const source = join(library, 'assembly', `${name}.ts`);
  const output = join(library, 'src', 'generated', `${name}-wasm.ts`);
  const state = createHash('sha256')
    .update([version, ...OPTIONS, readFileSync(source, 'utf8')].join('\n'))
    .digest('hex');
  const head = `/* Made from assembly/${name}.ts by scripts/generate-wasm.mjs (${state}). */\n`;
  if (existsSync(output) && readFileSync(output, 'utf8').startsWith(head)) return;
  const folder = mkdtempSync(join(tmpdir(), 'generate-wasm-'));
  try {
    const binary = join(folder, `${name}.wasm`);
    const compiler = join(dirname(manifest), bin.asc);
    const run = spawnSync(process.execPath, [compiler, source, '--outFile', binary, ...OPTIONS], {
      encoding: 'utf8',
    });
    if (run.status !== 0) {
      process.stderr.write(
        `assembly/${name}.ts cannot be compiled\n${run.stdout ?? ''}${run.stderr ?? ''}\n`,
      );
      process.exit(run.status ?? 1);
    }
    mkdirSync(dirname(output), { recursive: true });
    const base64 = readFileSync(binary).toString('base64');
    writeFileSync(output, `${head}export const ${name.toUpperCase()}_WASM = '${base64}';\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(`assemblyscript ${version}: libs/clip/src/generated/${name}-wasm.ts written`);
}

generate('resample');
generate('jpeg');

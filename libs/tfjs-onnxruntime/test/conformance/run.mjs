/**
 * Runs the conformance suite that tfjs-core publishes (`@tensorflow/tfjs-core/dist/tests`) on one backend.
 *
 *   npm run conformance -- [--backend onnxruntime|cpu] [--filter REGEXP] [--report FILE.json] [--list]
 *
 * The specs, tfjs-core and the backend are bundled into one file, because all three must share one instance of
 * tfjs-core (its engine, its kernel registry, its Tensor class). `ignoreAnnotations` keeps the imports that only
 * register something: packages marked free of side effects would lose them. The bundle is run by suite.ts.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const packageFolder = fileURLToPath(new URL('../../', import.meta.url));
const outputFolder = `${packageFolder}node_modules/.cache/conformance`;

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'onnxruntime' },
    filter: { type: 'string' },
    report: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
if (values.backend !== 'onnxruntime' && values.backend !== 'cpu') {
  console.error(`conformance: --backend is "${values.backend}", expected onnxruntime or cpu`);
  process.exit(2);
}

mkdirSync(outputFolder, { recursive: true });
const outfile = `${outputFolder}/${values.backend}.mjs`;
await build({
  entryPoints: [fileURLToPath(new URL(`backends/${values.backend}.ts`, import.meta.url))],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  mainFields: ['module', 'main'],
  conditions: ['source'],
  ignoreAnnotations: true,
  // Native or CommonJS packages that tfjs-core's specs do not share state with.
  external: ['onnxruntime-*', 'protobufjs', 'jasmine', 'jasmine-core', 'node-fetch'],
  banner: {
    js: "import { createRequire as createBundleRequire } from 'node:module'; const require = createBundleRequire(import.meta.url);",
  },
  logLevel: 'warning',
});

const { status, signal } = spawnSync(process.execPath, ['--expose-gc', outfile, ...process.argv.slice(2)], {
  stdio: 'inherit',
});
if (signal) console.error(`conformance: the run was ended by ${signal}`);
process.exit(status ?? 1);

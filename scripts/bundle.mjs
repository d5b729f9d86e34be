/**
 * Bundles what the compiler has left in each app's build/ into the programs in its dist/: the trainer, the service, their
 * threads, and create-key. A start reads some tens of files instead of 700 or 1,700, which takes a quarter less processor
 * time (docs/decisions/050).
 *
 * esbuild compiles no TypeScript here: Nest needs the types of constructor parameters, which tsc alone emits.
 * All of it lies flat in dist/, because a thread's file is named relative to the chunk that starts it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const HEARTBEAT = 'libs/clip/dist/files/heartbeat.worker.js';

/**
 * @typedef {object} App
 * @property {string} folder
 * @property {readonly string[]} compiled  the compiler's outputs, each with its record of all sources
 * @property {Record<string, string>} programs  name in dist/ → compiled file
 * @property {readonly string[]} external  packages that are loaded from node_modules
 */

/** Left in node_modules: native addons, and packages that look for files beside their own. */
const WITH_FILES = ['@huggingface/xetchunk-wasm', 'onnxruntime-node', 'sharp'];

/** @type {App} */
const TRAINER = {
  folder: 'apps/trainer',
  compiled: ['apps/trainer/build', 'libs/clip/dist', 'libs/tfjs-onnxruntime/dist'],
  programs: {
    main: 'apps/trainer/build/main.js',
    'image-worker': 'apps/trainer/build/data/images/image-worker.js',
    'heartbeat.worker': HEARTBEAT,
  },
  external: [
    ...WITH_FILES,
    ...['@wandb/sdk', 'ort-native'],
    // One copy in the process, which optional backends from elsewhere are given too (apps/trainer/src/backend/load-native.ts).
    ...['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-cpu'],
  ],
};

/** @type {App} */
const API = {
  folder: 'apps/api',
  compiled: ['apps/api/build', 'libs/clip/dist'],
  programs: {
    main: 'apps/api/build/main.js',
    service: 'apps/api/build/service.js',
    'access/create-key': 'apps/api/build/access/create-key.js',
    'encoder.worker': 'apps/api/build/encoder/encoder.worker.js',
    'import-source.worker': 'apps/api/build/imports/import-source.worker.js',
    'shard.worker': 'apps/api/build/vector-index/shard/shard.worker.js',
    'heartbeat.worker': HEARTBEAT,
  },
  external: [
    ...WITH_FILES,
    ...['@electric-sql/pglite', 'hnswlib-node', 'piscina', 'swagger-ui-dist'],
    // Imported only where they are installed; they are not here.
    '@fastify/static',
    '@nestjs/microservices',
    '@nestjs/websockets',
    'class-transformer',
    'class-validator',
    'pg-native',
    // Must be loaded before all decorators: chunks would come in another order than the imports have.
    'reflect-metadata',
  ],
};

/**
 * Zod's messages in fifty languages, half of its code, which each thread would read: its default, English, is another file.
 * @type {import('esbuild').Plugin}
 */
const withoutLanguages = {
  name: 'without-languages',
  setup: (build) => {
    build.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: 'export {};',
    }));
  },
};

/** Writes the programs unless those that are there were made of the same. @param {App} app */
async function bundlePrograms({ folder, compiled, programs, external }) {
  const output = join(ROOT, folder, 'dist');
  const stateFile = join(output, 'state.txt');
  const state = createHash('sha256');
  for (const input of [
    import.meta.filename,
    ...compiled.map((each) => join(ROOT, each, 'tsconfig.tsbuildinfo')),
    join(ROOT, 'package-lock.json'),
  ])
    state.update(readFileSync(input));
  const wanted = state.digest('hex');
  if (existsSync(stateFile) && readFileSync(stateFile, 'utf8') === wanted) return;

  rmSync(output, { recursive: true, force: true });
  await bundle({
    entryPoints: programs,
    absWorkingDir: ROOT,
    outdir: output,
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // The names of the service's controllers become those of operations in the OpenAPI document.
    keepNames: true,
    external: [...external],
    plugins: [withoutLanguages],
    // What CommonJS packages find around them.
    banner: {
      js: [
        "import { createRequire as createRequireOfBundle } from 'node:module';",
        'const require = createRequireOfBundle(import.meta.url);',
        'const { filename: __filename, dirname: __dirname } = import.meta;',
      ].join('\n'),
    },
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
  });
  writeFileSync(stateFile, wanted);
}

for (const app of [TRAINER, API]) await bundlePrograms(app);

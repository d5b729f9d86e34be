/**
 * Bundles what the compiler has left in build/ into the programs in dist/: the service, its threads, and create-key. A
 * start reads some thirty files instead of 1,700, which takes a quarter less processor time (docs/decisions/050).
 *
 * esbuild compiles no TypeScript here: Nest needs the types of constructor parameters, which tsc alone emits.
 * All of it lies flat in dist/, because a thread's file is named relative to the chunk that starts it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build as bundle } from 'esbuild';

const compiled = join(import.meta.dirname, 'build');
const bundled = join(import.meta.dirname, 'dist');
const clip = join(import.meta.dirname, '../../libs/clip/dist');
const stateFile = join(bundled, 'state.txt');

/** Left in node_modules: native addons, and packages that look for files beside their own. */
const WITH_FILES = [
  '@electric-sql/pglite',
  '@huggingface/xetchunk-wasm',
  'hnswlib-node',
  'onnxruntime-node',
  'piscina',
  'sharp',
  'swagger-ui-dist',
];
/** Imported where they are installed, which they are not here. */
const ABSENT = [
  '@fastify/static',
  '@nestjs/microservices',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
  'pg-native',
];
/** Must be loaded before all decorators: chunks would come in another order than the imports have. */
const FIRST = ['reflect-metadata'];

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

/** What the bundle is made of: the compiler's records change with every source, the lock file with the packages. */
const state = createHash('sha256');
for (const input of [
  import.meta.filename,
  join(compiled, 'tsconfig.tsbuildinfo'),
  join(clip, 'tsconfig.tsbuildinfo'),
  join(import.meta.dirname, '../../package-lock.json'),
])
  state.update(readFileSync(input));
const wanted = state.digest('hex');

if (!existsSync(stateFile) || readFileSync(stateFile, 'utf8') !== wanted) {
  rmSync(bundled, { recursive: true, force: true });
  await bundle({
    entryPoints: {
      main: join(compiled, 'main.js'),
      'access/create-key': join(compiled, 'access/create-key.js'),
      'encoder.worker': join(compiled, 'encoder/encoder.worker.js'),
      'import-source.worker': join(compiled, 'imports/import-source.worker.js'),
      'shard.worker': join(compiled, 'vector-index/shard.worker.js'),
      'heartbeat.worker': join(clip, 'files/heartbeat.worker.js'),
    },
    outdir: bundled,
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // The names of controllers become those of operations in the OpenAPI document.
    keepNames: true,
    external: [...WITH_FILES, ...ABSENT, ...FIRST],
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

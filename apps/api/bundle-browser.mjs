/**
 * Bundles what runs in a visitor's browser and is written in TypeScript: the worker of the demo page, with the parts of
 * libs/clip that it uses. transformers.js stays a file of its own, which the service serves as it was published.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const api = import.meta.dirname;
const LIBRARY = '@huggingface/transformers';

/** The folder that apps/api/src/demo/library-files.ts serves the library under, seen from the worker. */
const library = `./lib/${versionOf(LIBRARY)}/`;

await build({
  entryPoints: [join(api, 'browser', 'demo.worker.ts')],
  outfile: join(api, 'dist', 'browser', 'demo.worker.js'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  conditions: ['source'],
  define: { LIBRARIES: JSON.stringify(library) },
  logLevel: 'warning',
  plugins: [
    {
      name: 'library',
      setup: (bundle) => {
        bundle.onResolve({ filter: new RegExp(`^${LIBRARY}$`) }, () => ({
          path: `${library}transformers.min.js`,
          external: true,
        }));
      },
    },
  ],
});

/** @param {string} name of a package of the API @returns {string} */
function versionOf(name) {
  const entry = createRequire(join(api, 'package.json')).resolve(name);
  const manifest = join(dirname(dirname(entry)), 'package.json');
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

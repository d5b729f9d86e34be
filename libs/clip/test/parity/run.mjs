/**
 * Checks towers against golden folders, from source.
 *
 *   npm run parity -- [--backend onnxruntime|cpu] [FOLDER…]
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const outputFolder = fileURLToPath(new URL('../../node_modules/.cache/parity', import.meta.url));
mkdirSync(outputFolder, { recursive: true });
const outfile = `${outputFolder}/cli.mjs`;
await build({
  entryPoints: [fileURLToPath(new URL('cli.ts', import.meta.url))],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
});
await import(pathToFileURL(outfile).href);

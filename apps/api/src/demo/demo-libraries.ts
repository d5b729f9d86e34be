/**
 * What the demo page runs on, by name: its worker, and of the packages transformers.js and ONNX Runtime the files that a
 * browser needs. The libraries' addresses have the version in them, so that a browser keeps them for good.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { RequestHandler } from 'express';
import { BROWSER_FOLDER } from '../program-folders.js';

const WORKER = '/demo/demo.worker.js';
/** Builds of ONNX Runtime: the processor alone, and with WebGPU. */
const BUILDS = ['ort-wasm-simd-threaded', 'ort-wasm-simd-threaded.asyncify'];
const FOREVER = 'public, max-age=31536000, immutable';

/** Serves the allow-listed files, and sends /demo to /demo/, where the page's relative links hold. */
export function demoLibraries(): RequestHandler {
  const files = libraryFiles();
  return (request, response, next) => {
    const { path } = request;
    if (!['GET', 'HEAD'].includes(request.method)) next();
    else if (path === '/demo')
      response.redirect(308, `demo/${new URL(request.url, 'http://localhost').search}`);
    else {
      const file = files.get(path);
      if (file === undefined) next();
      else {
        response.setHeader('Cache-Control', path === WORKER ? 'no-cache' : FOREVER);
        response.sendFile(file, { cacheControl: false });
      }
    }
  };
}

/** Path of the address → path of the file. */
function libraryFiles(): ReadonlyMap<string, string> {
  const library = createRequire(import.meta.url).resolve('@huggingface/transformers');
  const folder = dirname(library);
  const { version } = JSON.parse(readFileSync(join(folder, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  // The copy that the library was published with, whichever others are installed.
  const runtime = createRequire(library);
  const names = BUILDS.flatMap((build) => [`${build}.mjs`, `${build}.wasm`]);
  return new Map([
    [WORKER, join(BROWSER_FOLDER, 'demo.worker.js')],
    [`/demo/lib/${version}/transformers.min.js`, join(folder, 'transformers.min.js')],
    ...names.map((name): [string, string] => [
      `/demo/lib/${version}/${name}`,
      runtime.resolve(`onnxruntime-web/${name}`),
    ]),
  ]);
}

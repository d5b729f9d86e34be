/**
 * Checks towers against golden folders (config.json, model.safetensors, golden.safetensors made with transformers):
 * outputs and the gradient of every parameter. One line a folder, then `N passed, N failed`.
 *
 *   npm run parity -- [--backend onnxruntime|cpu] FOLDER…
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { checkFolder, describeResult } from '@clip-ts/clip/parity';

const BACKENDS = {
  onnxruntime: () => import('tfjs-onnxruntime'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};
const USAGE = `usage: npm run parity -- [--backend ${Object.keys(BACKENDS).join('|')}] FOLDER…`;

/** @returns {{ folders: string[], backend: keyof typeof BACKENDS }} */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        backend: { type: 'string', default: 'onnxruntime' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (!(values.backend in BACKENDS)) throw new Error(`no backend ${values.backend}`);
    if (positionals.length === 0) throw new Error('no folder given');
    return { folders: positionals, backend: /** @type {keyof typeof BACKENDS} */ (values.backend) };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

const { folders, backend } = readArguments();
await BACKENDS[backend]();
await tf.setBackend(backend);
let passed = 0;
for (const folder of folders) {
  try {
    const result = await checkFolder(folder);
    console.log(describeResult(result));
    if (result.passed) passed += 1;
  } catch (error) {
    console.log(`FAIL ${folder}: ${error instanceof Error ? error.message : error}`);
  }
}
console.log(`${passed} passed, ${folders.length - passed} failed`);
process.exitCode = passed === folders.length ? 0 : 1;

/**
 * Checks towers against golden folders (config.json, model.safetensors, golden.safetensors made with transformers):
 * outputs and the gradient of every parameter. One line a folder, then `N passed, N failed`. run.mjs starts it.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { checkFolder, describeResult } from './check.js';

const BACKENDS = {
  onnxruntime: () => import('tfjs-onnxruntime'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};
const USAGE = `usage: npm run parity -- [--backend ${Object.keys(BACKENDS).join('|')}] [FOLDER…]; default: the project's own folders`;

/** The models of libs/clip/test/golden, relative to the root of the repository, where npm starts scripts. */
function ownFolders(): string[] {
  return ['models', 'models-training-mode'].flatMap((kind) => {
    const parent = `libs/clip/test/golden/${kind}`;
    return readdirSync(parent).map((name) => `${parent}/${name}`);
  });
}

function readArguments(): { folders: string[]; backend: keyof typeof BACKENDS } {
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
    const folders = positionals.length > 0 ? positionals : ownFolders();
    return { folders, backend: values.backend as keyof typeof BACKENDS };
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

/**
 * Checks models against golden folders (config.json, model.safetensors, golden.safetensors made with transformers):
 * outputs and the gradient of every parameter; with a trajectory.json, a whole training run. One line a folder, then `N passed, N failed`. run.mjs starts it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { checkFolder, describeResult } from './check.js';
import { checkTraining, describeTraining } from './check-training.js';
import { createRunnerOn } from './runners.js';

const BACKENDS = {
  onnxruntime: () => import('tfjs-onnxruntime'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
};
const USAGE = `usage: npm run parity -- [--backend ${Object.keys(BACKENDS).join('|')}] [FOLDER…]; default: the project's own folders`;

/** The models of libs/clip/test/golden, relative to the root of the repository, where npm starts scripts. */
function ownFolders(): string[] {
  return ['models', 'models-training-mode', 'training'].flatMap((kind) => {
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

async function checked(folder: string): Promise<{ line: string; ok: boolean }> {
  const result = await checkFolder(folder);
  return { line: describeResult(result), ok: result.passed };
}

/** As training does: compiled and replayed on ONNX Runtime, op by op elsewhere. */
async function followed(folder: string): Promise<{ line: string; ok: boolean }> {
  const result = await checkTraining(folder, await createRunnerOn(backend));
  return { line: describeTraining(result), ok: result.failures.length === 0 };
}

const { folders, backend } = readArguments();
await BACKENDS[backend]();
await tf.setBackend(backend);
let passed = 0;
for (const folder of folders) {
  try {
    const { line, ok } = existsSync(join(folder, 'trajectory.json'))
      ? await followed(folder)
      : await checked(folder);
    console.log(line);
    if (ok) passed += 1;
  } catch (error) {
    console.log(`FAIL ${folder}: ${error instanceof Error ? error.message : error}`);
  }
}
console.log(`${passed} passed, ${folders.length - passed} failed`);
process.exitCode = passed === folders.length ? 0 : 1;

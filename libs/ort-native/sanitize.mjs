/**
 * Runs the tests of the fused ops and of replayed steps with the addon built for AddressSanitizer and UndefinedBehaviorSanitizer (GCC or Clang on
 * Linux). Reads and writes outside a buffer, and undefined arithmetic, end the test process.
 *   npm run native:sanitize -w libs/ort-native
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const compiler = process.env.CXX ?? 'c++';

/**
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function run(command, args, env) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {string} name */
const libraryOfCompiler = (name) =>
  spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();

run(process.execPath, [join(import.meta.dirname, 'build.mjs'), '--sanitize']);
run(
  process.execPath,
  [
    'node_modules/vitest/vitest.mjs',
    'run',
    'libs/tfjs-onnxruntime/src/fused',
    'libs/tfjs-onnxruntime/src/kernels/native-',
    'libs/tfjs-onnxruntime/src/replay',
    'libs/tfjs-onnxruntime/src/device',
  ],
  {
    ORT_NATIVE_ADDON: join(import.meta.dirname, 'build', 'ort-native.sanitized.node'),
    // The sanitizers' run-time libraries come first in a process whose program was built without them.
    LD_PRELOAD: ['libasan.so', 'libubsan.so'].map(libraryOfCompiler).join(' '),
    // Node itself leaves memory to the operating system when it exits.
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  },
);

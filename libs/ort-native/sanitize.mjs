/**
 * Runs the tests of the fused ops and of replayed steps with the addon built for AddressSanitizer and UndefinedBehaviorSanitizer (GCC or Clang on
 * Linux), and then all ops on random shapes for some seconds. Reads and writes outside a buffer, and undefined arithmetic, end the test process. Then LeakSanitizer looks at what
 * processes leave that make few and many sessions: the libraries leave a few bytes of their own, which do not grow.
 *   npm run native:sanitize -w libs/ort-native
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const FUZZ_SECONDS = '10';
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

const environment = {
  ORT_NATIVE_ADDON: join(import.meta.dirname, 'build', 'ort-native.sanitized.node'),
  // The sanitizers' run-time libraries come first in a process whose program was built without them.
  LD_PRELOAD: ['libasan.so', 'libubsan.so'].map(libraryOfCompiler).join(' '),
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
};

/** Allocations that nothing points to when a process ends that has made so many sessions. @param {number} sessions */
function allocationsLeft(sessions) {
  const script = 'libs/tfjs-onnxruntime/test/native/sessions.mjs';
  const { stderr, status } = spawnSync(process.execPath, ['--expose-gc', script, String(sessions)], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...environment, ASAN_OPTIONS: 'detect_leaks=1' },
  });
  const [, allocations] = /leaked in (\d+) allocation/.exec(stderr) ?? [];
  if (allocations === undefined && status !== 0) {
    console.error(stderr);
    process.exit(1);
  }
  return { allocations: Number(allocations ?? 0), report: stderr };
}

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
  // The test runner leaks memory of its own.
  { ...environment, ASAN_OPTIONS: 'detect_leaks=0' },
);
run(process.execPath, ['libs/tfjs-onnxruntime/test/native/fuzz.mjs', FUZZ_SECONDS], {
  ...environment,
  ASAN_OPTIONS: 'detect_leaks=0',
});
const [few, many] = [allocationsLeft(2), allocationsLeft(20)];
console.log(`allocations left by 2 sessions: ${few.allocations}, by 20: ${many.allocations}`);
if (many.allocations > few.allocations) {
  console.error(many.report);
  process.exit(1);
}

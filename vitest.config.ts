import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import LongestFirst from './scripts/longest-first.mjs';
import { testFolder } from './scripts/test-folder.mjs';

const from = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** More golden data, photos and published weights live outside the repository; tests that need them skip when absent. */
const testData = process.env.CLIP_TEST_DATA ?? from('../shared/data');

/** Needs a process that has not used the backend yet. */
const FIRST_USE = 'libs/tfjs-onnxruntime/src/backend/register.test.ts';

/**
 * Tests that kill, flood and fail programs, start them many times, wait for leases and time limits to run out, install packages, or
 * repeat on PostgreSQL or op by op what others prove: more time than all the rest. `npm test` leaves them out, `npm run test:all` and continuous integration do not.
 */
const SLOW = '**/*.slow.test.ts';

/** Unit tests run from source; end-to-end tests start the built programs with plain `node`. */
export default defineConfig({
  resolve: {
    // @clip-ts/clip/files is left out: its lock starts a thread, which exists in compiled form only.
    alias: [
      { find: /^@clip-ts\/clip$/, replacement: from('libs/clip/src/index.ts') },
      { find: /^@clip-ts\/clip\/data$/, replacement: from('libs/clip/src/data/index.ts') },
      { find: /^@clip-ts\/clip\/model$/, replacement: from('libs/clip/src/model/index.ts') },
      { find: /^@clip-ts\/clip\/preprocess$/, replacement: from('libs/clip/src/preprocess/index.ts') },
      { find: /^@clip-ts\/clip\/system$/, replacement: from('libs/clip/src/system/index.ts') },
      { find: /^@clip-ts\/clip\/train$/, replacement: from('libs/clip/src/train/index.ts') },
      { find: /^tfjs-onnxruntime$/, replacement: from('libs/tfjs-onnxruntime/src/index.ts') },
    ],
  },
  test: {
    reporters: ['default', from('scripts/plain-summary.mjs')],
    env: {
      CLIP_GOLDEN: from('libs/clip/test/golden'),
      ...(existsSync(testData) ? { CLIP_TEST_DATA: testData } : {}),
      // What a later run can use as well stays on the disk.
      CLIP_TEST_CACHE: tmpdir(),
      ...(testFolder === undefined ? {} : { TMPDIR: testFolder }),
    },
    globalSetup: from('scripts/test-folder.mjs'),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // On two cores: a third fills the time in which two wait, for a lock to run out, a slow client, the end of a program.
    maxWorkers: 3,
    // A test that needs another one before it fails sooner or later; the seed that the summary names repeats the order.
    sequence: { sequencer: LongestFirst, shuffle: { tests: true, files: false } },
    projects: [
      {
        extends: true,
        // Loading TensorFlow.js takes longer than most of these tests: files share the modules of a process.
        test: {
          name: 'units',
          include: ['{libs/clip,apps/*}/src/**/*.test.ts'],
          exclude: [SLOW],
          isolate: false,
        },
      },
      {
        extends: true,
        // As above, with one backend for the files of a process: what a test that fails leaves in it can fail others.
        test: {
          name: 'engine',
          include: ['libs/tfjs-onnxruntime/src/**/*.test.ts', 'libs/clip/test/**/*.test.ts'],
          exclude: [FIRST_USE, SLOW],
          isolate: false,
        },
      },
      {
        extends: true,
        // What is under test runs in processes of its own: these only start it and look at it, and share their modules.
        test: {
          name: 'programs',
          include: ['apps/*/test/**/*.test.ts', '{bench,scripts}/**/*.test.ts'],
          exclude: [SLOW],
          isolate: false,
        },
      },
      {
        extends: true,
        // Whole programs that set up a backend of their own.
        test: {
          name: 'isolated',
          include: ['libs/tfjs-onnxruntime/test/**/*.test.ts', FIRST_USE],
          exclude: [SLOW],
        },
      },
      {
        extends: true,
        test: {
          name: 'slow',
          include: ['{apps,libs}/*/{src,test}/**/*.slow.test.ts', 'scripts/**/*.slow.test.ts'],
          isolate: false,
        },
      },
    ],
  },
});

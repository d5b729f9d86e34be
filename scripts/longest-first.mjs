/**
 * The order of the test files: those that take longest first, so that none of them is left to a single worker at the end.
 * vitest knows by itself what took long here before; in a fresh clone it would go by the size of the files.
 */
import { BaseSequencer } from 'vitest/node';

/** Files of more than some ten seconds, the longest first. */
const LONGEST = [
  'apps/api/test/hostile',
  'apps/api/test/generations.',
  'apps/api/test/storage',
  'apps/trainer/test/pretrain',
  'apps/api/test/postgres',
  'apps/api/test/program',
  'apps/trainer/test/init-from',
  'apps/api/test/imports',
  'apps/trainer/test/image-pipeline',
  'apps/api/test/page.',
  'apps/api/test/lifecycle',
  'apps/api/test/generations-postgres',
  'apps/trainer/test/trusted-runs',
  'apps/api/test/search-graph',
  'libs/tfjs-onnxruntime/test/packed',
];

export default class LongestFirst extends BaseSequencer {
  /** @param {import('vitest/node').TestSpecification[]} files @override */
  async sort(files) {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => place(a) - place(b));
  }
}

/** @param {import('vitest/node').TestSpecification} file */
function place({ moduleId }) {
  const found = LONGEST.findIndex((name) => moduleId.includes(name));
  return found < 0 ? LONGEST.length : found;
}

/**
 * The order of the test files: those that take longest first, so that none of them is left to a single worker at the end.
 * vitest knows by itself what took long here before; in a fresh clone it would go by the size of the files.
 * Files of one project follow each other, since a worker keeps its modules only until the next file is another project's.
 */
import { BaseSequencer } from 'vitest/node';

/** Files of more than some ten seconds, the longest first. */
const LONGEST = [
  'apps/api/test/generations.',
  'apps/api/test/hostile',
  'apps/trainer/test/pretrain',
  'apps/api/test/page.',
  'apps/trainer/test/init-from',
  'libs/tfjs-onnxruntime/test/packed',
  'apps/api/test/demo',
  'apps/api/test/page-adding',
  'scripts/gpu/check',
  'apps/trainer/test/image-pipeline',
  'libs/tfjs-onnxruntime/test/conformance',
  'apps/trainer/test/trusted-runs',
  'apps/api/test/storage',
  'apps/api/test/postgres',
  'apps/trainer/test/killed-runs',
  'apps/api/test/imports',
  'apps/api/test/generations-postgres',
  'apps/api/test/program',
  'apps/api/test/page-models',
  'apps/api/test/data-lock',
  'apps/api/test/slow-clients',
];

export default class LongestFirst extends BaseSequencer {
  /** @param {import('vitest/node').TestSpecification[]} files @override */
  async sort(files) {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => room(a) - room(b) || place(a) - place(b));
  }
}

/** The short unit tests come last: they fill what is left. @param {import('vitest/node').TestSpecification} file */
function room({ project }) {
  return ['isolated', 'programs', 'engine', 'units'].indexOf(project.name);
}

/** @param {import('vitest/node').TestSpecification} file */
function place({ moduleId }) {
  const found = LONGEST.findIndex((name) => moduleId.includes(name));
  return found < 0 ? LONGEST.length : found;
}

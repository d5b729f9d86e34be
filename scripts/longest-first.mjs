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
  'apps/trainer/test/image-pipeline',
  'scripts/gpu/check',
  'apps/api/test/page-adding',
  'apps/api/test/postgres',
  'apps/api/test/generations-postgres',
  'libs/tfjs-onnxruntime/test/packed',
  'apps/trainer/test/init-from',
  'apps/trainer/test/pretrain',
  'apps/api/test/demo',
  'apps/api/test/page.',
  'apps/api/test/storage',
  'libs/tfjs-onnxruntime/test/conformance',
  'apps/trainer/test/trusted-runs',
  'apps/api/test/imports',
  'apps/api/test/program',
  'libs/clip/test/parity',
  'apps/api/test/data-lock',
  'apps/api/test/page-models',
  'libs/clip/src/train/gradient-checkpointing',
  'libs/clip/test/hub',
  'apps/trainer/src/train/step/golden-training',
  'apps/api/test/search-graph',
  'apps/trainer/test/killed-runs',
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
  return ['slow', 'isolated', 'programs', 'engine', 'units'].indexOf(project.name);
}

/** @param {import('vitest/node').TestSpecification} file */
function place({ moduleId }) {
  const found = LONGEST.findIndex((name) => moduleId.includes(name));
  return found < 0 ? LONGEST.length : found;
}

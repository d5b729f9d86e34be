/**
 * Imports between folders point one way (bench, scripts → api, trainer → clip → tfjs-onnxruntime → ort-native) and
 * files form no circle; folders: dependency-cruiser.folders.config.mjs. Both look at resolved files (TypeScript's `.js`
 * specifiers, package entries, type-only imports), so neither a detour through another package nor the spelling of a
 * path gets around a rule.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';

// Generated and compiled files; what a compiled file stands for is checked as source.
export const COMPILED = '^(libs|apps)/[^/]+/(build|dist|src/generated)/';
const TEST = '(^|/)test/|[.]test[.]ts$';
const TFJS = '^node_modules/@tensorflow/|^libs/tfjs-onnxruntime/';

/** What an importer outside a library may reach: the sources that its package.json lists under "exports". */
const ENTRIES = readdirSync('libs').flatMap((library) => {
  const { exports } = JSON.parse(readFileSync(`libs/${library}/package.json`, 'utf8'));
  return Object.values(exports).map(({ source }) => `^libs/${library}/${source.slice(2)}$`);
});

/** @type {import('dependency-cruiser').IConfiguration} */
const modules = {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      comment: 'Move what both files need, types included, into a file below them.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'An import that cannot be found cannot be checked.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'source-knows-no-tests',
      severity: 'error',
      comment: 'What a test needs belongs to the tests; what the source needs belongs to the source.',
      from: { pathNot: TEST },
      to: { path: TEST },
    },
    {
      name: 'nothing-imports-the-top',
      severity: 'error',
      comment: 'bench and scripts are for the command line.',
      from: { path: '^(libs|apps)/' },
      to: { path: '^(bench|scripts)/' },
    },
    {
      name: 'libraries-know-no-apps',
      severity: 'error',
      comment: 'A library does not import an app.',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-know-no-apps',
      severity: 'error',
      comment: 'A checkpoint folder is all that passes from the trainer to the API.',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'engine-stands-alone',
      severity: 'error',
      comment: 'The engine knows nothing of CLIP.',
      from: { path: '^libs/tfjs-onnxruntime/' },
      to: { path: '^libs/', pathNot: '^libs/(tfjs-onnxruntime|ort-native)/' },
    },
    {
      name: 'packages-not-their-files',
      severity: 'error',
      comment: 'Import the package, not its files.',
      from: { path: '^((?:libs|apps)/[^/]+|bench|scripts)/' },
      to: { path: '^libs/[^/]+/src/', pathNot: ['^$1/', ...ENTRIES] },
    },
    {
      name: 'serving-needs-no-tensorflow',
      severity: 'error',
      comment:
        'The API, and the root of libs/clip that it uses, load neither TensorFlow.js nor the engine, by no route.',
      from: { path: '^(apps/api|libs/clip)/src/', pathNot: ['^libs/clip/src/(model|train)/', TEST] },
      to: { path: TFJS, reachable: true },
    },
    {
      name: 'browsers-have-no-node',
      severity: 'error',
      comment: 'What runs in a browser reaches no module of Node.js, by no route.',
      from: { path: ['^libs/clip/src/browser/', '^apps/api/browser/'] },
      to: { path: `^(?:node:)?(?:${builtinModules.join('|')})(?:/|$)|^node_modules/sharp/`, reachable: true },
    },
    {
      name: 'towers-use-tfjs-core-alone',
      severity: 'error',
      comment:
        'Towers and the training step are written against the API of TensorFlow.js; which backend runs them is for others to say.',
      from: { path: '^libs/clip/src/(model|train)/', pathNot: TEST },
      to: { path: '^libs/tfjs-onnxruntime/' },
    },
    {
      name: 'models-know-no-training',
      severity: 'error',
      comment: 'Training knows the model; the model knows no training.',
      from: { path: '^libs/clip/src/model/', pathNot: TEST },
      to: { path: '^libs/clip/src/train/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: COMPILED },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.check.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
  },
};

export default modules;

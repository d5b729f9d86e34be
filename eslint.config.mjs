import tseslint from 'typescript-eslint';

/**
 * Arrows between rooms point one way: api → clip ← trainer → tfjs-onnxruntime.
 * A folder may import only what it is allowed to; everything else fails the lint.
 */
/** @param {...[string | string[], string]} entries patterns and the reason */
function forbid(...entries) {
  const patterns = entries.map(([group, message]) => ({ group: [group].flat(), message }));
  /** @type {import('eslint').Linter.RulesRecord} */
  const rules = { 'no-restricted-imports': ['error', { patterns }] };
  return rules;
}
const TFJS = ['@tensorflow/*', 'tfjs-onnxruntime', 'tfjs-onnxruntime/*'];
const APPS = ['@clip-ts/api', '@clip-ts/api/*', '@clip-ts/trainer', '@clip-ts/trainer/*', '**/apps/**'];
const DEEP = [
  '@clip-ts/*/src/**',
  '@clip-ts/*/dist/**',
  'tfjs-onnxruntime/src/**',
  'tfjs-onnxruntime/dist/**',
];

export default tseslint.config(
  {
    ignores: [
      '**/node_modules',
      '**/dist',
      '**/generated',
      'libs/clip/assembly',
      '.nx',
      'coverage',
      'data',
      'runs',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  ...tseslint.configs.stylistic,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-inferrable-types': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // The web page: plain JavaScript for browsers, types in comments.
    files: ['apps/api/public/**/*.js'],
    languageOptions: { parserOptions: { project: './apps/api/public/tsconfig.json' } },
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-misused-promises': 'off',
    },
  },
  {
    files: ['libs/tfjs-onnxruntime/**/*.ts'],
    rules: forbid([['@clip-ts/*', ...APPS], 'the engine stands alone: it knows nothing of CLIP']),
  },
  {
    files: ['libs/clip/src/**/*.ts'],
    ignores: ['libs/clip/src/model/**'],
    rules: forbid(
      [TFJS, 'the root of libs/clip serves without TensorFlow.js; models live in libs/clip/src/model'],
      [['**/model/**', '**/model'], 'the root of libs/clip must not depend on the TensorFlow.js towers'],
      [APPS, 'a library does not import an app'],
    ),
  },
  {
    files: ['libs/clip/src/model/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: forbid(
      [['tfjs-onnxruntime', 'tfjs-onnxruntime/*'], 'towers are written against tfjs-core alone'],
      [APPS, 'a library does not import an app'],
    ),
  },
  {
    files: ['apps/trainer/**/*.ts'],
    rules: forbid(
      [['@clip-ts/api', '@clip-ts/api/*'], 'the trainer does not import the API'],
      [DEEP, 'import the package, not its files'],
    ),
  },
  {
    files: ['apps/api/**/*.ts'],
    rules: forbid(
      [
        [...TFJS, '@clip-ts/clip/model', '@clip-ts/trainer', '@clip-ts/trainer/*'],
        'the API serves checkpoints without TensorFlow.js or the trainer',
      ],
      [DEEP, 'import the package, not its files'],
    ),
  },
);

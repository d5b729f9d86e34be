/**
 * Compiles the addon with one call of the C++ compiler ($CXX, or c++) into build/ort-native.node.
 *   node libs/ort-native/build.mjs [--sanitize]      ASan and UBSan, into build/ort-native.sanitized.node
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
/** @type {{ include_dir: string }} */
const headers = require('node-api-headers');

const native = join(import.meta.dirname, 'native');
const build = join(import.meta.dirname, 'build');
const sanitize = process.argv.includes('--sanitize');
mkdirSync(build, { recursive: true });
const output = join(build, sanitize ? 'ort-native.sanitized.node' : 'ort-native.node');
const { status, error } = spawnSync(
  process.env.CXX ?? 'c++',
  [
    ...['-std=c++17', '-O3', '-fPIC', '-shared', '-fvisibility=hidden', '-Wall', '-Wextra'],
    // Square roots and comparisons without errno and traps vectorise; results stay those of IEEE 754.
    ...['-fno-math-errno', '-fno-trapping-math'],
    ...(sanitize ? ['-g', '-fsanitize=address,undefined', '-DORT_NATIVE_NO_CLONES'] : []),
    ...['-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=ort_native', `-I${headers.include_dir}`],
    ...readdirSync(native)
      .filter((name) => name.endsWith('.cc'))
      .map((name) => join(native, name)),
    ...['-o', output, '-ldl'],
  ],
  { stdio: 'inherit' },
);
if (error) console.error(`no C++ compiler: ${error.message}`);
process.exitCode = status ?? 1;

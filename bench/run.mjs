/**
 * Runs a benchmark: `npm run bench -- <name> [options]` starts bench/<name>/index.mjs; without a name it lists them.
 * Every benchmark prints `name: value unit` lines.
 */
import { existsSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const file = (/** @type {string} */ name) => fileURLToPath(new URL(`./${name}/index.mjs`, import.meta.url));
const [name, ...options] = process.argv.slice(2);
if (!name || !existsSync(file(name))) {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const names = readdirSync(folder).filter((entry) => existsSync(file(entry)));
  console.error(`${name ? `There is no benchmark "${name}". ` : ''}Benchmarks: ${names.join(', ')}`);
  process.exitCode = 2;
} else {
  process.exitCode = spawnSync(process.execPath, [file(name), ...options], { stdio: 'inherit' }).status ?? 1;
}

/**
 * `npm run native:doctor [-- --backend NAME]`: reports for each backend what is installed, what is
 * missing and what to do about it.
 * Changes nothing. Exit code 0 when the named backend runs; without a name, when the default one does; 2 for an unknown name.
 */
import { parseArgs } from 'node:util';
import { BACKENDS } from './backends.mjs';
import { formatCheck } from './requirements.mjs';

const DEFAULT_BACKEND = 'onnxruntime';

/** Prints the checks of a backend. Returns whether it runs. @param {string} name */
function report(name) {
  const { title, required, optional } = /** @type {(typeof BACKENDS)[string]} */ (BACKENDS[name]);
  console.log(`${name}: ${title}`);
  const needed = required();
  for (const check of needed) console.log(formatCheck(check));
  for (const check of optional?.() ?? []) console.log(formatCheck(check, 'absent '));
  const missing = needed.filter(({ ok }) => !ok).length;
  console.log(missing === 0 ? 'ready\n' : `not ready: ${missing} of ${needed.length} missing\n`);
  return missing === 0;
}

const { values } = parseArgs({ options: { backend: { type: 'string' } } });
const { backend } = values;
if (backend !== undefined && !Object.hasOwn(BACKENDS, backend)) {
  console.error(
    `native:doctor: --backend must be one of ${Object.keys(BACKENDS).join(', ')}; found '${String(backend)}'`,
  );
  process.exitCode = 2;
} else {
  const ready = new Map((backend ? [backend] : Object.keys(BACKENDS)).map((name) => [name, report(name)]));
  process.exitCode = ready.get(backend ?? DEFAULT_BACKEND) ? 0 : 1;
}

/**
 * `npm run native:doctor [-- --gear NAME]`: reports for each gear what is installed, what is
 * missing and what to do about it.
 * Changes nothing. Exit code 0 when the named gear runs; without a name, when the default one does; 2 for an unknown name.
 */
import { parseArgs } from 'node:util';
import { GEARS } from './gears.mjs';
import { formatCheck } from './requirements.mjs';

const DEFAULT_GEAR = 'onnxruntime';

/** Prints the checks of a gear. Returns whether it runs. @param {string} name */
function report(name) {
  const { title, required, optional } = /** @type {(typeof GEARS)[string]} */ (GEARS[name]);
  console.log(`${name}: ${title}`);
  const needed = required();
  for (const check of needed) console.log(formatCheck(check));
  for (const check of optional?.() ?? []) console.log(formatCheck(check, 'absent '));
  const missing = needed.filter(({ ok }) => !ok).length;
  console.log(missing === 0 ? 'ready\n' : `not ready: ${missing} of ${needed.length} missing\n`);
  return missing === 0;
}

const { values } = parseArgs({ options: { gear: { type: 'string' } } });
const { gear } = values;
if (gear !== undefined && !Object.hasOwn(GEARS, gear)) {
  console.error(
    `native:doctor: --gear must be one of ${Object.keys(GEARS).join(', ')}; found '${String(gear)}'`,
  );
  process.exitCode = 2;
} else {
  const ready = new Map((gear ? [gear] : Object.keys(GEARS)).map((name) => [name, report(name)]));
  process.exitCode = ready.get(gear ?? DEFAULT_GEAR) ? 0 : 1;
}

/**
 * What hostile requests do to the service: for each the statuses of its answers, the time, the longest wait of
 * /healthz meanwhile, how much of it the service took and not other programs, and the most memory.
 *
 *   npm run bench -- hostile --checkpoint FOLDER [--generated 5000] [--seed 13] [--flood 5]
 *
 * The last is how long each flood lasts, in seconds.
 */
import { parseArgs } from 'node:util';
import { attack, fuzz } from '../../apps/api/hostile/attack.mjs';
import { withService } from '../shared/service.mjs';

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: process.env.CLIP_CHECKPOINT ?? 'data/sample/run/checkpoint' },
    generated: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '13' },
    flood: { type: 'string', default: '5' },
  },
});

const settings = { IMAGE_FORMATS: 'jpeg,png,webp,gif,avif,tiff' };
const work = async (/** @type {string} */ url, /** @type {number} */ pid) => {
  const worst = { wait: 0, blocked: 0, memory: 0, faults: 0 };
  for await (const result of attack(url, pid, { floodFor: 1000 * Number(values.flood), largest: true })) {
    add(worst, result);
    // Names hold what is sent, control characters among it.
    print(`hostile.${result.name.replace(/\p{Cc}/gu, '\uFFFD')}`, result);
  }
  const generated = { wait: 0, blocked: 0, memory: 0, faults: 0 };
  const options = { count: Number(values.generated), seed: Number(values.seed) };
  for await (const result of fuzz(url, pid, options)) add(generated, result);
  summary('hostile', worst);
  summary('hostile.generated', generated);
};
await withService(values.checkpoint, work, settings);

/** @typedef {{ wait: number, blocked: number, memory: number, faults: number }} Worst */
/** @typedef {import('../../apps/api/hostile/attack.mjs').Result} Result */

/** @param {Worst} worst @param {Result} result */
function add(worst, { seen, text }) {
  for (const key of /** @type {const} */ (['wait', 'blocked', 'memory'])) {
    worst[key] = Math.max(worst[key], seen[key]);
  }
  if (text !== '') worst.faults++;
}

/** @param {string} name @param {Result} result */
function print(name, { statuses, milliseconds, seen }) {
  const counts = new Map();
  for (const status of statuses) counts.set(status ?? 'none', (counts.get(status ?? 'none') ?? 0) + 1);
  const answers = [...counts]
    .map(([status, count]) => (count === 1 ? status : `${count}×${status}`))
    .join(' ');
  const { wait, blocked, memory } = seen;
  console.log(
    `${name}: status ${answers}, ${milliseconds.toFixed(0)} ms, healthz ${wait.toFixed(0)} ms ` +
      `(${blocked.toFixed(0)} ms by the service), ${memory.toFixed(0)} MiB`,
  );
}

/** @param {string} name @param {Worst} worst */
function summary(name, { wait, blocked, memory, faults }) {
  console.log(`${name}.healthz.longest_wait: ${wait.toFixed(0)} ms`);
  console.log(`${name}.healthz.by_the_service: ${blocked.toFixed(0)} ms`);
  console.log(`${name}.rss.peak: ${memory.toFixed(0)} MiB`);
  console.log(`${name}.server_faults: ${faults} requests`);
}

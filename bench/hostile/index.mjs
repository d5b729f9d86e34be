/**
 * What hostile requests do to the service: for each the statuses of its answers, the time, the longest wait of
 * /healthz meanwhile, how much of it the service's main thread was computing, and the most memory.
 *
 *   npm run bench -- hostile --checkpoint FOLDER [--generated 5000] [--seed 13]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { attack, fuzz } from '../../apps/api/hostile/attack.mjs';

const MAIN = fileURLToPath(new URL('../../apps/api/dist/main.js', import.meta.url));

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: process.env.CLIP_CHECKPOINT ?? 'data/sample/run/checkpoint' },
    generated: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '13' },
  },
});

const folder = await mkdtemp(join(tmpdir(), 'clip-bench-'));
const service = spawn(process.execPath, [MAIN], {
  env: {
    ...process.env,
    CLIP_CHECKPOINT: values.checkpoint,
    DATA_DIR: folder,
    PORT: '0',
    HOST: '127.0.0.1',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const url = await listening();
  while (!(await fetch(`${url}/readyz`)).ok) await delay(20);
  const pid = service.pid ?? 0;
  const worst = { wait: 0, blocked: 0, memory: 0, faults: 0 };
  for await (const result of attack(url, pid)) {
    add(worst, result);
    print(`hostile.${result.name}`, result);
  }
  const generated = { wait: 0, blocked: 0, memory: 0, faults: 0 };
  const options = { count: Number(values.generated), seed: Number(values.seed) };
  for await (const result of fuzz(url, pid, options)) add(generated, result);
  summary('hostile', worst);
  summary('hostile.generated', generated);
} finally {
  if (service.exitCode === null) {
    service.kill('SIGTERM');
    await once(service, 'close');
  }
  await rm(folder, { recursive: true });
}

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
      `(${blocked.toFixed(0)} ms computing), ${memory.toFixed(0)} MiB`,
  );
}

/** @param {string} name @param {Worst} worst */
function summary(name, { wait, blocked, memory, faults }) {
  console.log(`${name}.healthz.longest_wait: ${wait.toFixed(0)} ms`);
  console.log(`${name}.healthz.computing: ${blocked.toFixed(0)} ms`);
  console.log(`${name}.rss.peak: ${memory.toFixed(0)} MiB`);
  console.log(`${name}.server_faults: ${faults} requests`);
}

async function listening() {
  let text = '';
  service.stdout.setEncoding('utf8').on('data', (part) => (text += part));
  while (service.exitCode === null) {
    const url = /served at (http:\/\/[^\s"]+)/.exec(text)?.[1];
    if (url !== undefined) return url;
    await delay(20);
  }
  throw new Error('the service did not start');
}

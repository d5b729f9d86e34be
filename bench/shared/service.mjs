/** The built service as benchmarks run it: a process of its own, on a free port and an empty data folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../apps/api/dist/main.js', import.meta.url));

/**
 * Runs `work` with the address and process id of a service that is ready; ends the service and removes its data.
 * @param {string} checkpoint
 * @param {(url: string, pid: number) => Promise<void>} work
 * @param {Record<string, string>} [settings] environment variables besides
 */
export async function withService(checkpoint, work, settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'clip-bench-'));
  const service = spawn(process.execPath, [MAIN], {
    env: {
      // As the serve target and the container image set them; see docs/api.md.
      MALLOC_ARENA_MAX: '2',
      MALLOC_MMAP_THRESHOLD_: '1048576',
      ...process.env,
      ...settings,
      CLIP_CHECKPOINT: checkpoint,
      DATA_DIR: folder,
      PORT: '0',
      HOST: '127.0.0.1',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = await listening(service);
    while (!(await fetch(`${url}/readyz`)).ok) await delay(20);
    await work(url, service.pid ?? 0);
  } finally {
    if (service.exitCode === null) {
      service.kill('SIGTERM');
      await once(service, 'close');
    }
    await rm(folder, { recursive: true });
  }
}

/** @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} service */
async function listening(service) {
  let text = '';
  service.stdout.setEncoding('utf8').on('data', (/** @type {string} */ part) => (text += part));
  while (service.exitCode === null) {
    const url = /served at (http:\/\/[^\s"]+)/.exec(text)?.[1];
    if (url !== undefined) return url;
    await delay(20);
  }
  throw new Error('the service did not start');
}

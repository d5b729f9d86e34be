/**
 * Watches a service from a thread of its own, so that neither the sender's work nor the service's hides a wait:
 * how long /healthz takes, how much processor time the service's main thread used during the longest wait (which
 * tells a blocked event loop from a busy machine), and the most memory.
 */
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Report
 * @property {number} wait Longest wait for /healthz, in milliseconds.
 * @property {number} blocked Processor time of the service's main thread during it, in milliseconds.
 * @property {number} memory Most resident memory, in MiB.
 * @property {number} failures Health checks that failed.
 */

const INTERVAL = 20;
/** Clock ticks of /proc, in milliseconds. */
const TICK = 10;

export class Watch {
  /** @param {string} url @param {number} pid */
  constructor(url, pid) {
    this.worker = new Worker(fileURLToPath(import.meta.url), { workerData: { url, pid } });
  }

  /** What was seen since the last report. @returns {Promise<Report>} */
  report() {
    return new Promise((resolve) => {
      this.worker.once('message', resolve);
      this.worker.postMessage('report');
    });
  }

  async stop() {
    await this.worker.terminate();
  }
}

/** @returns {Report} */
function empty() {
  return { wait: 0, blocked: 0, memory: 0, failures: 0 };
}

async function watch() {
  /** @type {{ url: string, pid: number }} */
  const { url, pid } = workerData;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let seen = empty();
  let since = performance.now();
  let usedBefore = mainThreadTime(pid);
  let asked = false;
  parentPort?.on('message', () => (asked = true));
  for (;;) {
    since = performance.now();
    usedBefore = mainThreadTime(pid);
    const ok = await healthy(url, agent);
    const wait = performance.now() - since;
    if (!ok) seen.failures++;
    if (wait > seen.wait) {
      seen.wait = wait;
      seen.blocked = Math.min(wait, mainThreadTime(pid) - usedBefore);
    }
    seen.memory = Math.max(seen.memory, residentMemory(pid));
    if (asked) {
      asked = false;
      parentPort?.postMessage(seen);
      seen = empty();
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  }
}

/** @param {string} url @param {Agent} agent @returns {Promise<boolean>} */
function healthy(url, agent) {
  return new Promise((resolve) => {
    const request = get(`${url}/healthz`, { agent, timeout: 30_000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/** Processor time of the main thread of a process, in milliseconds. @param {number} pid */
function mainThreadTime(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  } catch {
    return 0;
  }
}

/** Resident memory in MiB. @param {number} pid */
function residentMemory(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
  } catch {
    return 0;
  }
}

if (!isMainThread) await watch();

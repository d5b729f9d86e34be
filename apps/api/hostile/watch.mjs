/**
 * Watches a service from a thread of its own, so that neither the sender's work nor the service's hides a wait:
 * how long /healthz takes, how much of that the service itself took (which tells a blocked event loop from a busy
 * machine), and the most memory.
 */
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

/**
 * @typedef {object} Report
 * @property {number} wait Longest wait for /healthz, in milliseconds.
 * @property {number} blocked Longest wait less the time when the service's main thread, or the one that asks, was ready
 *   to run while other programs had the processors, in milliseconds. Elsewhere than on Linux the wait itself.
 * @property {number} memory Most resident memory, in MiB.
 * @property {number} failures Health checks that failed.
 */

/** Between two health checks while nobody asks for a report, in milliseconds. */
const INTERVAL = 50;

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
  let asked = false;
  /** @type {() => void} */
  let wake = () => undefined;
  parentPort?.on('message', () => {
    asked = true;
    wake();
  });
  for (;;) {
    const since = performance.now();
    const queuedBefore = timeInQueue(pid);
    const ok = await healthy(url, agent);
    const wait = performance.now() - since;
    if (!ok) seen.failures++;
    seen.wait = Math.max(seen.wait, wait);
    seen.blocked = Math.max(seen.blocked, wait - (timeInQueue(pid) - queuedBefore));
    seen.memory = Math.max(seen.memory, residentMemory(pid));
    if (asked) {
      asked = false;
      parentPort?.postMessage(seen);
      seen = empty();
    }
    await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      const timer = setTimeout(resolve, asked ? 0 : INTERVAL);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
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

/**
 * How long the main thread of a process and the calling thread have been ready to run without a processor, in
 * milliseconds. A thread that sleeps, or waits for a disk or a lock, is not ready: that counts as blocked.
 * @param {number} pid
 */
function timeInQueue(pid) {
  return queued(`/proc/${pid}/task/${pid}`) + queued('/proc/thread-self');
}

/** @param {string} thread Its folder in /proc. */
function queued(thread) {
  try {
    return Number(readFileSync(`${thread}/schedstat`, 'latin1').split(' ')[1]) / 1e6;
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

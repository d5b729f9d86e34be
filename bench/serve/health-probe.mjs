/** Asks for the health check again and again until told to end, in a thread that has nothing else to do. */
import { setTimeout as delay } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const PAUSE_MS = 5;
/** @type {number[]} */
const waits = [];
let ended = false;
parentPort?.once('message', () => (ended = true));
while (!ended) {
  const start = performance.now();
  const response = await fetch(`${workerData}/healthz`);
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`the health check answered ${response.status}`);
  waits.push(performance.now() - start);
  await delay(PAUSE_MS);
}
parentPort?.postMessage(waits);

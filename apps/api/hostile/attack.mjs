/** Sends hostile requests to a running service and reports what each did to it. */
import { flood, floods } from './floods.mjs';
import { generatedRequests } from './generated.mjs';
import { largestImages } from './images.mjs';
import { hostileRequests } from './requests.mjs';
import { Watch } from './watch.mjs';
import { exchange } from './wire.mjs';

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {(number | undefined)[]} statuses
 * @property {number} milliseconds
 * @property {import('./watch.mjs').Report} seen
 * @property {string} text Of the first answer that is a fault of the server.
 */

/**
 * Every known request, the largest images if asked for (minutes), then floods of ordinary requests, each for the given
 * number of milliseconds.
 * @param {string} url @param {number} pid @param {{ floodFor: number, largest?: boolean }} options @returns
 * {AsyncGenerator<Result>}
 */
export async function* attack(url, pid, { floodFor, largest = false }) {
  const watch = new Watch(url, pid);
  try {
    await watch.report();
    for (const { name, send } of [...hostileRequests(), ...(largest ? largestImages() : [])]) {
      const exchanges = await send();
      await watch.report();
      yield await judge(name, watch, () => Promise.all(exchanges.map((one) => exchange(url, one))));
    }
    for (const kind of floods()) {
      yield await judge(kind.name, watch, async () => {
        const statuses = await flood(url, kind, floodFor);
        return statuses.map((status) => ({ status, text: `${status} to ${kind.name}` }));
      });
    }
  } finally {
    await watch.stop();
  }
}

const TOGETHER = 20;

/**
 * Requests made from the service's own OpenAPI document, several at a time.
 * @param {string} url @param {number} pid @param {{ count: number, seed: number }} options @returns {AsyncGenerator<Result>}
 */
export async function* fuzz(url, pid, options) {
  /** @type {any} */
  const document = await (await fetch(`${url}/openapi.json`)).json();
  const watch = new Watch(url, pid);
  try {
    await watch.report();
    let batch = [];
    for (const request of generatedRequests(document, options)) {
      batch.push(request);
      if (batch.length < TOGETHER) continue;
      const sent = batch;
      batch = [];
      const name = sent.map((one) => one.name).join(', ');
      yield await judge(name, watch, () => Promise.all(sent.map((one) => exchange(url, one.exchange))));
    }
  } finally {
    await watch.stop();
  }
}

/** @param {string} name @param {Watch} watch @param {() => Promise<Pick<import('./wire.mjs').Outcome, 'status' | 'text'>[]>} send @returns {Promise<Result>} */
async function judge(name, watch, send) {
  const start = performance.now();
  const outcomes = await send();
  const milliseconds = performance.now() - start;
  const seen = await watch.report();
  const fault = outcomes.find(({ status }) => status !== undefined && status >= 500 && status !== 503);
  return {
    name,
    statuses: outcomes.map(({ status }) => status),
    milliseconds,
    seen,
    text: fault?.text.slice(0, 600) ?? '',
  };
}

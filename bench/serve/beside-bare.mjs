/** The service beside the bare session of its vision model, in turns, and then under many uploads and many texts. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import pMap from 'p-map';
import sharp from 'sharp';
import { median, pause } from '../shared/measure.mjs';
import { withService } from '../shared/service.mjs';
import { startSide } from '../shared/side.mjs';

const BATCH = 8;
const CLIENTS = 32;
const UPLOADS = 400;
const MOST_WORDS = 60;
const MOST_TEXTS = 16;

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const range = (/** @type {number} */ count) => Array.from({ length: count }, (_, n) => n);
const print = (/** @type {string} */ name, /** @type {number} */ value, unit = '') =>
  console.log(`serve.${name}: ${value.toFixed(value < 10 ? 2 : 1)} ${unit}`.trimEnd());

/** What a run measures, each with a service of its own: `images` beside the bare session, `uploads`, `texts`. */
export const PARTS = ['images', 'uploads', 'texts'];

/**
 * @param {string | undefined} checkpoint a folder; undefined: one of the size of CLIP ViT-B/32 is made
 * @param {{ parts: string[], rounds: number, images: number, texts: number }} options
 */
export async function besideBare(checkpoint, { parts, rounds, images, texts }) {
  const unlimited = { EMBEDDING_CACHE: '0', RATE_LIMIT: '0', COMPUTE_LIMIT: '0' };
  if (parts.includes('images')) {
    await withFolder(checkpoint, [], (folder) =>
      withService(folder, (url) => beside(url, folder, rounds, images), unlimited),
    );
  }
  if (parts.includes('uploads')) {
    // Every upload is taken, where the default would answer 503 to most of them.
    const env = { ...unlimited, MAX_REQUESTS: String(4 * UPLOADS) };
    await withFolder(checkpoint, [], (folder) => withService(folder, uploads, env));
  }
  if (parts.includes('texts')) {
    await withFolder(checkpoint, ['--small-text'], (folder) =>
      withService(folder, (url, pid) => memory(url, pid, texts), unlimited),
    );
  }
}

/**
 * Runs `work` with a folder, which is made, and removed afterwards, when none is given.
 * @param {string | undefined} checkpoint @param {string[]} options @param {(folder: string) => Promise<void>} work
 */
async function withFolder(checkpoint, options, work) {
  if (checkpoint !== undefined) return work(checkpoint);
  const folder = mkdtempSync(join(tmpdir(), 'bench-serve-'));
  try {
    const made = spawnSync(process.execPath, [here('./vit-b32-folder.mjs'), folder, ...options], {
      stdio: 'inherit',
    });
    if (made.status !== 0) throw new Error('the folder of the size of ViT-B/32 could not be made');
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * A line for what must hold.
 * @param {string} name @param {number} value @param {'at least' | 'at most'} side @param {number} limit @param {string} [unit]
 */
function printFloor(name, value, side, limit, unit = '') {
  const holds = side === 'at least' ? value >= limit : value <= limit;
  const shown = `${value.toFixed(2)} ${unit}`.trimEnd();
  console.log(`serve.floor.${name}: ${shown} (${side} ${limit}): ${holds ? 'holds' : 'FAILS'}`);
}

/**
 * The service and the bare session of its vision model, in turns.
 * @param {string} url @param {string} folder @param {number} rounds @param {number} images
 */
async function beside(url, folder, rounds, images) {
  const pictures = await Promise.all(range(64).map(photo));
  const embed = async (/** @type {number} */ n) => {
    const body = new FormData();
    body.append('image', new Blob([pictures[n % pictures.length] ?? Buffer.alloc(0)]));
    return expectOk(await fetch(`${url}/embed`, { method: 'POST', body }));
  };
  const bare = startSide('bare', process.execPath, [here('./bare.mjs'), folder, '5']);
  const times = { bare: /** @type {number[]} */ ([]), one: /** @type {number[]} */ ([]) };
  const rates = { bare: /** @type {number[]} */ ([]), service: /** @type {number[]} */ ([]) };
  await bare.run(BATCH);
  await pMap(range(CLIENTS), embed, { concurrency: CLIENTS });
  for (let round = 0; round < rounds; round++) {
    await pause(300);
    rates.bare.push((1000 * BATCH) / median((await bare.run(BATCH)).ms));
    times.bare.push(median((await bare.run(1)).ms));
    await pause(300);
    const started = performance.now();
    await pMap(range(images), embed, { concurrency: CLIENTS });
    rates.service.push((1000 * images) / (performance.now() - started));
    const own = [];
    for (const n of range(15)) {
      const start = performance.now();
      await embed(n);
      own.push(performance.now() - start);
    }
    times.one.push(median(own));
  }
  bare.stop();
  print(`bare.batch_${BATCH}`, median(rates.bare), 'images/s');
  print(`service.clients_${CLIENTS}`, median(rates.service), 'images/s');
  print('bare.batch_1', median(times.bare), 'ms');
  print('service.client_1.p50', median(times.one), 'ms');
  const ratio = median(rates.service.map((rate, round) => rate / Number(rates.bare[round])));
  printFloor('ratio_bare', ratio, 'at least', 0.9);
  const above = median(times.one.map((ms, round) => ms - Number(times.bare[round])));
  printFloor('above_bare', above, 'at most', 12, 'ms');
}

/** The health check while many images are being added. @param {string} url */
async function uploads(url) {
  const pictures = await pMap(range(UPLOADS), (n) => photo(n + 1000), { concurrency: 2 });
  const probe = new Worker(new URL('./health-probe.mjs', import.meta.url), { workerData: url });
  const statuses = await Promise.all(
    pictures.map(async (picture) => {
      const body = new FormData();
      body.append('image', new Blob([picture]));
      const response = await fetch(`${url}/images`, { method: 'POST', body });
      await response.arrayBuffer();
      return response.status;
    }),
  );
  probe.postMessage('end');
  const [waits] = /** @type {[number[]]} */ (await once(probe, 'message'));
  waits.sort((a, b) => a - b);
  for (const status of new Set(statuses)) {
    print(`uploads.answers_${status}`, statuses.filter((one) => one === status).length, `of ${UPLOADS}`);
  }
  print('uploads.healthz.p50', Number(waits[waits.length >> 1]), 'ms');
  const p99 = Number(waits[Math.floor(0.99 * (waits.length - 1))]);
  printFloor('uploads.healthz.p99', p99, 'at most', 50, 'ms');
}

/** Memory over many requests with random texts. @param {string} url @param {number} pid @param {number} requests */
async function memory(url, pid, requests) {
  const random = (/** @type {number} */ below) => Math.floor(Math.random() * below);
  const text = () =>
    range(1 + random(MOST_WORDS))
      .map(() => `w${random(5000)}`)
      .join(' ');
  const send = async () => {
    const body = JSON.stringify({ texts: range(1 + random(MOST_TEXTS)).map(text) });
    const headers = { 'content-type': 'application/json' };
    return expectOk(await fetch(`${url}/embed`, { method: 'POST', headers, body }));
  };
  const resident = [];
  const SHARES = 10;
  for (let part = 0; part < SHARES; part++) {
    await pMap(range(Math.ceil(requests / SHARES)), send, { concurrency: 4 });
    resident.push(residentMemory(pid));
  }
  // The first fifth is warm-up.
  const [warm, later] = [resident.slice(0, 2), resident.slice(2)];
  print('texts.requests', requests);
  print('texts.rss.warm', Number(warm.at(-1)), 'MiB');
  const growth = 100 * (Math.max(...later) / Number(warm.at(-1)) - 1);
  printFloor('texts.rss.growth', growth, 'at most', 5, '%');
}

/** Resident memory in MiB (Linux). @param {number} pid */
function residentMemory(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** @param {Response} response */
async function expectOk(response) {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 300)}`);
}

/** A JPEG of 640 × 480 as photos are in COCO, different for each number. @param {number} n */
async function photo(n) {
  const create = {
    width: 160,
    height: 120,
    channels: /** @type {const} */ (3),
    background: { r: (n * 37) % 256, g: (n * 91) % 256, b: (n * 53) % 256 },
    noise: { type: /** @type {const} */ ('gaussian'), mean: (n * 29) % 256, sigma: 40 },
  };
  return Buffer.from(await sharp({ create }).resize(640, 480).jpeg().toBuffer());
}

/**
 * The service under load: latency of its routes, throughput, and whether its memory stays flat.
 *
 *   npm run bench -- serve --checkpoint FOLDER [--images 500] [--requests 10000] [--concurrency 8]
 *   npm run bench -- serve --beside-bare [--parts images,uploads,texts] [--checkpoint FOLDER] [--rounds 5] [--images 64]
 *     [--texts 20000]
 *
 * With --beside-bare: the service in turns with the bare session of its vision model, of the size of CLIP ViT-B/32 unless
 * a folder is named; then the health check during 400 uploads at once, and memory over many POST /embed of random texts,
 * with a small text tower unless a folder is named. What must hold is printed as `serve.floor.…: VALUE (at most LIMIT): holds`.
 *
 * Starts the built service on a free port and an empty data folder, adds images, sends the requests
 * (a mix of searches, classifications and thumbnails) from this process, and prints `name: value unit` lines.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import pMap from 'p-map';
import sharp from 'sharp';
import { withService } from '../shared/service.mjs';
import { PARTS as PARTS_BESIDE, besideBare } from './beside-bare.mjs';

/** @typedef {{ url: string, pictures: Buffer<ArrayBuffer>[], ids: string[] }} Filled */

const WORDS = [
  'red',
  'green',
  'blue',
  'large',
  'small',
  'circle',
  'square',
  'dog',
  'beach',
  'street',
  'snow',
];
const LABELS = ['a circle', 'a square', 'a dog', 'a cat', 'a person', 'a car'];
const PARTS = 10;

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string' },
    images: { type: 'string' },
    requests: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '8' },
    parts: { type: 'string', default: PARTS_BESIDE.join(',') },
    'beside-bare': { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    texts: { type: 'string', default: '20000' },
  },
});

const started = performance.now();
if (values['beside-bare']) {
  await besideBare(values.checkpoint, {
    parts: values.parts.split(','),
    rounds: Number(values.rounds),
    images: Number(values.images ?? '64'),
    texts: Number(values.texts),
  });
  process.exit();
}
const checkpoint = values.checkpoint ?? process.env.CLIP_CHECKPOINT ?? 'data/sample/run/checkpoint';
await withService(checkpoint, async (url, pid) => {
  print('serve.start', (performance.now() - started) / 1000, 's');
  const filled = await fill(url, Number(values.images ?? '500'));
  for (const [name, send] of Object.entries(kinds(filled))) {
    const times = await pMap(range(0, 200), (n) => timed(() => send(n)), { concurrency: 1 });
    report(`serve.${name}`, times.slice(20));
  }
  await load(filled, Number(values.requests), Number(values.concurrency), pid);
});

/** @param {string} url @param {number} count @returns {Promise<Filled>} */
async function fill(url, count) {
  const pictures = await Promise.all(range(0, count).map(picture));
  const start = performance.now();
  const upload = async (/** @type {Buffer<ArrayBuffer>} */ bytes) => {
    const answer = await send(`${url}/images`, { image: new Blob([bytes]) });
    /** @type {{ items: { id: string }[] }} */
    const { items } = JSON.parse(answer);
    return items[0]?.id ?? '';
  };
  const ids = await pMap(pictures, upload, { concurrency: 4 });
  print('serve.upload', count / ((performance.now() - start) / 1000), 'images/s');
  return { url, pictures, ids };
}

/**
 * All requests at the given concurrency, in parts, with the memory of the service after each.
 * @param {Filled} filled @param {number} requests @param {number} concurrency @param {number} pid
 */
async function load(filled, requests, concurrency, pid) {
  const senders = Object.values(kinds(filled));
  const part = Math.ceil(requests / PARTS);
  const memory = [];
  const times = [];
  const start = performance.now();
  for (let first = 0; first < part * PARTS; first += part) {
    const work = (/** @type {number} */ n) => timed(async () => senders[n % senders.length]?.(n));
    times.push(...(await pMap(range(first, part), work, { concurrency })));
    memory.push(residentMemory(pid));
    print(`serve.rss.after_${first + part}`, residentMemory(pid), 'MiB');
  }
  report('serve.mixed', times);
  print('serve.throughput', times.length / ((performance.now() - start) / 1000), 'requests/s');
  // The first half fills caches and heaps; what matters is that the second does not grow.
  const [early, late] = [memory.slice(0, PARTS / 2), memory.slice(PARTS / 2)];
  print('serve.rss.growth', (100 * (Math.max(...late) - Math.max(...early))) / Math.max(...early), '%');
}

/** @param {Filled} filled @returns {Record<string, (n: number) => Promise<unknown>>} */
function kinds({ url, pictures, ids }) {
  const word = (/** @type {number} */ n) => WORDS[n % WORDS.length];
  return {
    search_cached: () => send(`${url}/search?q=red&limit=20`),
    search: (n) => send(`${url}/search?limit=20&q=${word(n)}+${word(n * 5 + 1)}+${n}`),
    classify: (n) => {
      const image = new Blob([pictures[n % pictures.length] ?? Buffer.alloc(0)]);
      return send(`${url}/classify`, { image, labels: JSON.stringify(LABELS) });
    },
    thumbnail: (n) => send(`${url}/images/${ids[n % ids.length]}/thumbnail`),
  };
}

/**
 * Sends a request, with a form when there are fields, and reads the whole answer.
 * @param {string} address @param {Record<string, string | Blob>} [fields]
 */
async function send(address, fields) {
  let body;
  if (fields !== undefined) {
    body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
  }
  const response = await fetch(address, { method: body === undefined ? 'GET' : 'POST', body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 300)}`);
  return text;
}

/** A JPEG of 320 × 240 that differs for each number. @param {number} n */
async function picture(n) {
  const channel = (/** @type {number} */ step) => (n * step) % 256;
  const image = sharp({
    create: {
      width: 320,
      height: 240,
      channels: 3,
      background: { r: channel(37), g: channel(91), b: channel(53) },
      noise: { type: 'gaussian', mean: channel(29), sigma: 30 },
    },
  });
  return Buffer.from(await image.jpeg().toBuffer());
}

/** @param {() => Promise<unknown>} work */
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Resident memory of the service in MiB (Linux). @param {number} pid */
function residentMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** @param {string} name @param {number[]} times */
function report(name, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => sorted[Math.floor((sorted.length - 1) * share)] ?? NaN;
  print(`${name}.p50`, at(0.5), 'ms');
  print(`${name}.p99`, at(0.99), 'ms');
}

/** @param {number} from @param {number} count */
function range(from, count) {
  return Array.from({ length: count }, (_, n) => from + n);
}

/** @param {string} name @param {number} value @param {string} unit */
function print(name, value, unit) {
  console.log(`${name}: ${value.toFixed(1)} ${unit}`);
}

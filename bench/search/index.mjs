/**
 * The search index beside hnswlib called directly and, with a Python that has them, faiss and usearch, on clustered
 * vectors of 512 values.
 *
 *   [PYTHON=PATH] npm run bench -- search [--sizes 10000,100000] [--peer python] [--queries 200]
 *
 * Prints lines `search.nSIZE.WHO.WHAT: VALUE UNIT`. Times are of one query at a time; `recall10` is the share of the
 * ten nearest that is found; the memory of a million vectors is computed from the largest size. hnswlib and the Python libraries search with the smallest breadth that reaches our recall.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import hnswlib from 'hnswlib-node';
import { keySetOf, removeKey } from '../../apps/api/build/vector-index/filter/key-set.js';
import { VectorIndex } from '../../apps/api/build/vector-index/vector-index.js';
import { median } from '../shared/measure.mjs';
import { clusteredVectors } from './vectors.mjs';

const E = 512;
const TOP = 10;
const PAGE = 20;
const AT_ONCE = 64;
const BREADTHS = [16, 24, 32, 48, 64, 100, 150, 200, 400];

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,100000' },
    queries: { type: 'string', default: '200' },
    peer: { type: 'string' },
  },
});

for (const size of values.sizes.split(',').map(Number)) await measure(size);

/** @param {number} N */
async function measure(N) {
  const print = (/** @type {string} */ what, /** @type {string} */ value) =>
    console.log(`search.n${N}.${what}: ${value}`);
  const { vectors, queries } = clusteredVectors(N, Number(values.queries), E);
  const folder = mkdtempSync(join(tmpdir(), 'bench-search-'));
  try {
    const { truth, recall, p50 } = await ours(N, vectors, queries, folder, print);
    const direct = hnswlibDirectly(N, vectors, queries, truth, recall, print);
    print('ratio_hnswlib', (p50 / direct).toFixed(2));
    if (values.peer === 'python') python(N, vectors, queries, truth, recall, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {number} N @param {Float32Array} vectors @param {Float32Array[]} queries @param {string} folder
 * @param {(what: string, value: string) => void} print
 */
async function ours(N, vectors, queries, folder, print) {
  const before = process.memoryUsage.rss();
  const index = new VectorIndex({
    model: 'bench',
    embeddingSize: E,
    folder,
    shards: Math.min(availableParallelism(), 4),
    exactLimit: 10_000,
    onFailure: (error) => {
      throw error;
    },
  });
  const started = performance.now();
  const PART = 1000;
  for (let from = 0; from < N; from += PART) {
    const count = Math.min(PART, N - from);
    await index.set(
      Array.from({ length: count }, (_, n) => ({
        key: from + n,
        embedding: vectors.subarray((from + n) * E, (from + n + 1) * E),
      })),
    );
  }
  const searchable = (performance.now() - started) / 1000;
  while ((await index.pending()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const built = (performance.now() - started) / 1000;
  print('ours.kind', index.kind);
  print('ours.searchable', `${(N / searchable).toFixed(0)} vectors/s`);
  print('ours.insert', `${(N / built).toFixed(0)} vectors/s`);
  const bytes = process.memoryUsage.rss() - before;
  print('ours.memory', `${(bytes / 1e6).toFixed(0)} MB`);
  if (index.kind === 'hnsw') {
    console.log(`search.n1000000.ours.memory: ${(bytes / N).toFixed(0)} MB (computed from ${N})`);
  }

  const truth = queries.map((vector) => bruteForce(vectors, vector, N));
  /** @param {number} share @param {string} name */
  const filtered = async (share, name) => {
    const step = Math.round(1 / share);
    const keys = Array.from({ length: Math.floor(N / step) }, (_, n) => n * step);
    const among = keySetOf(keys);
    const times = [];
    let found = 0;
    let full = 0;
    for (const vector of queries) {
      const start = performance.now();
      const result = await index.search({ vector, limit: PAGE, offset: 0, among });
      times.push(performance.now() - start);
      full += Number(result.matches.length === Math.min(PAGE, keys.length));
      const best = bruteForce(vectors, vector, N, step);
      found += result.matches.slice(0, TOP).filter(({ key }) => best.has(key)).length;
    }
    print(`ours.${name}.p50`, `${median(times)?.toFixed(2)} ms`);
    print(`ours.${name}.recall10`, (found / queries.length / Math.min(TOP, keys.length)).toFixed(3));
    print(`ours.${name}.full_pages`, `${full} of ${queries.length}`);
  };
  const times = [];
  let found = 0;
  for (const [n, vector] of queries.entries()) {
    const start = performance.now();
    const { matches } = await index.search({ vector, limit: PAGE, offset: 0 });
    times.push(performance.now() - start);
    found += matches.slice(0, TOP).filter(({ key }) => truth[n]?.has(key)).length;
  }
  const p50 = Number(median(times));
  const recall = found / queries.length / TOP;
  print('ours.p50', `${p50.toFixed(2)} ms`);
  print('ours.p99', `${quantile(times, 0.99).toFixed(2)} ms`);
  print('ours.recall10', recall.toFixed(3));
  await filtered(0.01, 'filter_1pct');
  await filtered(0.1, 'filter_10pct');
  await filtered(1 / 3, 'filter_33pct');
  // Pages after the first, as cursors ask for them: all but the first page's images, in exact order.
  const [second, third] = [[], []].map((list) => /** @type {number[]} */ (list));
  for (const vector of queries.slice(0, 20)) {
    const first = await index.search({ vector, limit: PAGE, offset: 0 });
    const among = keySetOf(Array.from({ length: N }, (_, key) => key));
    for (const { key } of first.matches) removeKey(among, key);
    const asked = { vector, limit: PAGE, offset: 0, among, exact: true };
    let start = performance.now();
    const { matches } = await index.search(asked);
    second?.push(performance.now() - start);
    start = performance.now();
    await index.search({ ...asked, after: matches.at(-1) });
    third?.push(performance.now() - start);
  }
  print('ours.second_page.p50', `${median(second ?? [])?.toFixed(2)} ms`);
  print('ours.third_page.p50', `${median(third ?? [])?.toFixed(2)} ms`);
  const deep = [];
  for (const vector of queries.slice(0, 20)) {
    const start = performance.now();
    await index.search({ vector, limit: PAGE, offset: N - PAGE });
    deep.push(performance.now() - start);
  }
  print('ours.last_page.p50', `${median(deep)?.toFixed(2)} ms`);

  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  let next = 0;
  const client = async () => {
    while (next < queries.length * 10) {
      const vector = /** @type {Float32Array} */ (queries[next++ % queries.length]);
      await index.search({ vector, limit: PAGE, offset: 0 });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  delay.disable();
  print(
    'ours.rate',
    `${((queries.length * 10) / ((performance.now() - start) / 1000)).toFixed(0)} queries/s`,
  );
  print('ours.event_loop_delay.p99', `${(delay.percentile(99) / 1e6).toFixed(2)} ms`);
  await index.close();
  return { truth, recall, p50 };
}

/**
 * @param {number} N @param {Float32Array} vectors @param {Float32Array[]} queries @param {Set<number>[]} truth
 * @param {number} wanted recall @param {(what: string, value: string) => void} print
 */
function hnswlibDirectly(N, vectors, queries, truth, wanted, print) {
  const graph = new hnswlib.HierarchicalNSW('ip', E);
  graph.initIndex({ maxElements: N, m: 16, efConstruction: 200, randomSeed: 100 });
  const started = performance.now();
  for (let n = 0; n < N; n++) graph.addPoint(Array.from(vectors.subarray(n * E, (n + 1) * E)), n);
  print('hnswlib.insert', `${(N / ((performance.now() - started) / 1000)).toFixed(0)} vectors/s`);
  let p50 = NaN;
  for (const ef of BREADTHS) {
    graph.setEf(ef);
    const times = [];
    let found = 0;
    for (const [n, vector] of queries.entries()) {
      const start = performance.now();
      const { neighbors, distances } = graph.searchKnn(Array.from(vector), Math.min(PAGE, ef));
      times.push(performance.now() - start);
      const ranked = neighbors.map((key, k) => ({ key, distance: Number(distances[k]) }));
      ranked.sort((a, b) => a.distance - b.distance);
      found += ranked.slice(0, TOP).filter(({ key }) => truth[n]?.has(key)).length;
    }
    p50 = Number(median(times));
    const recall = found / queries.length / TOP;
    if (recall < wanted && ef !== BREADTHS.at(-1)) continue;
    print('hnswlib.p50', `${p50.toFixed(2)} ms`);
    print('hnswlib.recall10', recall.toFixed(3));
    print('hnswlib.ef', String(ef));
    break;
  }
  return p50;
}

/**
 * @param {number} N @param {Float32Array} vectors @param {Float32Array[]} queries @param {Set<number>[]} truth
 * @param {number} wanted recall @param {string} folder
 */
function python(N, vectors, queries, truth, wanted, folder) {
  writeFileSync(join(folder, 'vectors.f32'), vectors);
  const all = new Float32Array(queries.length * E);
  queries.forEach((vector, n) => all.set(vector, n * E));
  writeFileSync(join(folder, 'queries.f32'), all);
  writeFileSync(join(folder, 'truth.json'), JSON.stringify(truth.map((keys) => [...keys])));
  const script = fileURLToPath(new URL('../peers/search.py', import.meta.url));
  const run = spawnSync(
    process.env.PYTHON ?? 'python3',
    [script, folder, String(N), String(wanted), BREADTHS.join(',')],
    { stdio: 'inherit' },
  );
  if (run.status !== 0) console.log(`search.n${N}.python: not measured (needs faiss-cpu, usearch and numpy)`);
}

/** Keys of the ten nearest among every `step`-th vector. @param {Float32Array} vectors @param {Float32Array} query @param {number} N */
function bruteForce(vectors, query, N, step = 1) {
  /** @type {{ key: number, score: number }[]} */
  const best = [];
  for (let key = 0; key < N; key += step) {
    let score = 0;
    for (let e = 0, at = key * E; e < E; e++, at++) score += Number(vectors[at]) * Number(query[e]);
    if (best.length === TOP && score <= Number(best.at(-1)?.score)) continue;
    best.push({ key, score });
    best.sort((a, b) => b.score - a.score);
    if (best.length > TOP) best.pop();
  }
  return new Set(best.map(({ key }) => key));
}

/** @param {number[]} times @param {number} share */
function quantile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);
}

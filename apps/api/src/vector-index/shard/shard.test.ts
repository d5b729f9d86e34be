import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bruteForce, unitVectors } from '../../../test/support/unit-vectors.js';
import { keySetOf } from '../filter/key-set.js';
import { loadShard, saveShard } from './shard-snapshot.js';
import { Shard } from './shard.js';

/** No multiple of the four and sixteen values that are multiplied at a time. */
const E = 23;
const entries = unitVectors(600, E);
const query = unitVectors(1, E, 77)[0]!.embedding;

function flat(some: typeof entries) {
  const vectors = new Float32Array(some.length * E);
  some.forEach(({ embedding }, n) => vectors.set(embedding, n * E));
  return { keys: Int32Array.from(some, ({ key }) => key), vectors };
}

function shardOf(some: typeof entries, exactLimit: number, fill = true): Shard {
  const shard = new Shard(E, exactLimit);
  shard.set(flat(some));
  if (fill) while (shard.hasGraph && shard.fillGraph(100));
  return shard;
}

const find = (shard: Shard, limit: number, among?: number[]) => [
  ...shard.search({
    vector: query,
    limit,
    nearest: limit,
    among: among && keySetOf(among),
  }).keys,
];

const kinds: [string, (some: typeof entries) => Shard][] = [
  ['that compares with every vector', (some) => shardOf(some, 1e9)],
  ['with a graph', (some) => shardOf(some, 10)],
  ['with a graph that holds nothing yet', (some) => shardOf(some, 10, false)],
];

describe.each(kinds)('a shard %s', (_name, make) => {
  const expected = bruteForce(entries, query);

  it('ranks by descending cosine like a plain comparison', () => {
    const found = make(entries).search({ vector: query, limit: 20, nearest: 20 });
    expect([...found.keys]).toEqual(expected.slice(0, 20));
    found.keys.forEach((key, rank) => {
      const cosine = entries[key]!.embedding.reduce((sum, value, e) => sum + value * query[e]!, 0);
      expect(found.scores[rank]).toBeCloseTo(cosine, 6);
    });
    expect(found.total).toBe(600);
  });

  it('ranks all of its vectors on request', () => {
    const found = make(entries).search({ vector: query, limit: 10_000 });
    expect([...found.keys]).toEqual(expected);
    expect(found.exact).toBe(true);
  });

  it('never finds a deleted vector, and keeps the others', () => {
    const shard = make(entries);
    shard.delete([...expected.slice(0, 5), 99_999]);
    expect(shard.size).toBe(595);
    expect(find(shard, 10)).toEqual(expected.slice(5, 15));
    shard.delete(expected);
    expect([shard.size, find(shard, 10)]).toEqual([0, []]);
  });

  it('replaces the vector of a known key', () => {
    const shard = make(entries);
    shard.set(flat([{ key: 3, embedding: query }]));
    expect([shard.size, find(shard, 1)]).toEqual([600, [3]]);
    while (shard.hasGraph && shard.fillGraph(100));
    expect(find(shard, 1)).toEqual([3]);
  });

  it('finds only what a filter allows, all of it', () => {
    const shard = make(entries);
    expect(find(shard, 50, [1, 2, 3, 4, 5, 700]).sort()).toEqual([1, 2, 3, 4, 5]);
    expect(find(shard, 50, [])).toEqual([]);
    const even = expected.filter((key) => key % 2 === 0);
    expect(find(shard, 100, even)).toEqual(even.slice(0, 100));
  });

  it('answers nothing while it is empty', () => {
    expect(find(make([]), 5)).toEqual([]);
  });
});

describe('a shard with a graph', () => {
  it('says how much the graph lacks, and takes the same vector again without work', () => {
    const shard = shardOf(entries, 10, false);
    expect(shard.pendingCount).toBe(600);
    expect(shard.saved()).toBeUndefined();
    while (shard.fillGraph(7));
    expect(shard.pendingCount).toBe(0);
    shard.set(flat(entries));
    expect(shard.pendingCount).toBe(0);
    expect(shard.saved()!.keys).toHaveLength(600);
  });

  it('gives as many as the graph was asked for, and as many as are wanted where it compares with all', () => {
    const shard = shardOf(entries, 10);
    const few = shard.search({ vector: query, limit: 50, nearest: 5 });
    expect([few.keys.length, few.exact]).toEqual([5, false]);
    const among = keySetOf([...Array(40).keys()]);
    const all = shard.search({ vector: query, limit: 30, nearest: 5, among });
    expect([all.keys.length, all.exact, all.total]).toEqual([30, true, 40]);
  });

  it('applies a wide filter to what the graph finds', () => {
    const many = unitVectors(24_000, 4, 3);
    const query = many[5]!.embedding;
    const shard = new Shard(4, 10);
    const vectors = new Float32Array(many.length * 4);
    many.forEach(({ embedding }, n) => vectors.set(embedding, n * 4));
    shard.set({ keys: Int32Array.from(many, ({ key }) => key), vectors });
    while (shard.fillGraph(1000));
    const allowed = many.map(({ key }) => key).filter((key) => key % 10 !== 0);
    const found = shard.search({ vector: query, limit: 20, nearest: 20, among: keySetOf(allowed) });
    expect([found.exact, found.total]).toEqual([false, 21_600]);
    const nearest = bruteForce(many, query).filter((key) => key % 10 !== 0);
    expect([...found.keys].filter((key) => nearest.slice(0, 20).includes(key)).length).toBeGreaterThan(17);
    expect(found.keys.every((key) => key % 10 !== 0)).toBe(true);
  });
});

describe('the snapshot of a shard', () => {
  const identity = { model: 'a', embeddingSize: E, shard: 1, shards: 2 };
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clip-index-'));
    const shard = shardOf(entries, 10);
    shard.delete([0, 1]);
    await saveShard(folder, shard.saved()!, identity, 12);
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('comes back with the same answers, deletions included, and takes more vectors', async () => {
    const loaded = await loadShard(folder, identity, 12);
    if (!('graph' in loaded)) throw new Error(loaded.unusable);
    const shard = new Shard(E, 10);
    shard.adopt(loaded.graph, loaded.keys);
    expect([loaded.revision, shard.size, shard.pendingCount]).toEqual([12, 598, 0]);
    expect(find(shard, 10)).toEqual(bruteForce(entries.slice(2), query).slice(0, 10));
    shard.set(flat(unitVectors(1200, E, 5).map((entry) => ({ ...entry, key: entry.key + 1000 }))));
    while (shard.fillGraph(100));
    expect(shard.size).toBe(1798);
  });

  it('is not used for another model or division, or when the database is older than it', async () => {
    const reason = async (other: Partial<typeof identity>, latest = 12) => {
      const loaded = await loadShard(folder, { ...identity, ...other }, latest);
      return 'unusable' in loaded ? loaded.unusable : 'usable';
    };
    expect(await reason({ model: 'b' })).toBe('another model made it');
    expect(await reason({ shards: 3 })).toBe('it is one of 2 parts, not of 3');
    expect(await reason({}, 11)).toBe('it is of another database');
    expect(await reason({ shard: 0 })).toBe('there is none');
  });

  it('is not used when a byte changed or a file is gone', async () => {
    const path = join(folder, 'hnsw-1.bin');
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    expect(await loadShard(folder, identity, 12)).toEqual({ unusable: 'its bytes are damaged' });
    await writeFile(join(folder, 'hnsw-1.json'), '{');
    expect(await loadShard(folder, identity, 12)).toEqual({ unusable: 'it cannot be read' });
    await rm(join(folder, 'hnsw-1.json'));
    expect(await loadShard(folder, identity, 12)).toEqual({ unusable: 'there is none' });
  });
});

import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExactIndex } from './exact-index.js';
import { HnswIndex } from './hnsw-index.js';
import { SnapshotStore } from './snapshot.js';
import { compareMatches } from './vector-index.js';
import type { VectorIndex } from './vector-index.js';

const E = 16;

/** Deterministic unit vectors (Lehmer's generator). */
function unitVectors(count: number, seed = 1): { key: number; embedding: Float32Array }[] {
  let state = seed;
  const next = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647 - 0.5;
  };
  return Array.from({ length: count }, (_, key) => {
    const values = Float32Array.from({ length: E }, next);
    const norm = Math.hypot(...values);
    return { key, embedding: values.map((value) => value / norm) };
  });
}

const vectors = unitVectors(600);
const query = unitVectors(1, 77)[0]!.embedding;

function bruteForce(entries: typeof vectors, vector: Float32Array) {
  return entries
    .map(({ key, embedding }) => ({
      key,
      score: embedding.reduce((sum, value, e) => sum + value * vector[e]!, 0),
    }))
    .sort(compareMatches);
}

const indexes: [string, () => VectorIndex][] = [
  ['the exact index', () => new ExactIndex(E)],
  ['the HNSW index', () => HnswIndex.empty(E, 200)],
];

describe.each(indexes)('%s', (_name, make) => {
  it('ranks by falling cosine like a plain comparison with every vector', async () => {
    const index = make();
    await index.set(vectors);
    const { matches } = index.search({ vector: query, limit: 20 });
    const expected = bruteForce(vectors, query).slice(0, 20);
    expect(matches.map(({ key }) => key)).toEqual(expected.map(({ key }) => key));
    matches.forEach(({ score }, rank) => {
      expect(score).toBeCloseTo(expected[rank]!.score, 5);
    });
  });

  it('gives a longer result whose beginning is the shorter one', async () => {
    const index = make();
    await index.set(vectors);
    const long = index.search({ vector: query, limit: 100 }).matches;
    expect(index.search({ vector: query, limit: 37 }).matches).toEqual(long.slice(0, 37));
  });

  it('never finds a deleted vector, and keeps the others', async () => {
    const index = make();
    await index.set(vectors);
    const ranked = bruteForce(vectors, query);
    const gone = ranked.slice(0, 5).map(({ key }) => key);
    index.delete([...gone, 99_999]);
    expect(index.size).toBe(595);
    const { matches } = index.search({ vector: query, limit: 10 });
    expect(matches.map(({ key }) => key)).toEqual(ranked.slice(5, 15).map(({ key }) => key));
  });

  it('replaces the vector of a known key', async () => {
    const index = make();
    await index.set(vectors);
    await index.set([{ key: 3, embedding: query }]);
    expect(index.size).toBe(600);
    expect(index.search({ vector: query, limit: 1 }).matches[0]?.key).toBe(3);
  });

  it('leaves out what is below the lowest score and what the filter does not allow', async () => {
    const index = make();
    await index.set(vectors);
    const among = new Set([1, 2, 3, 4, 5, 700]);
    const all = index.search({ vector: query, limit: 50, among }).matches;
    expect(new Set(all.map(({ key }) => key))).toEqual(new Set([1, 2, 3, 4, 5]));
    const high = index.search({ vector: query, limit: 100, minScore: 0.3 }).matches;
    expect(high.every(({ score }) => score >= 0.3)).toBe(true);
    expect(high).toHaveLength(bruteForce(vectors, query).filter(({ score }) => score >= 0.3).length);
  });

  it('gives all its vectors back, for another index to be built from', async () => {
    const index = make();
    await index.set(vectors);
    index.delete([7]);
    const copy = new ExactIndex(E);
    await copy.set(index.entries());
    const query = { vector: vectors[0]!.embedding, limit: 50 };
    expect(copy.search(query).matches).toEqual(
      index
        .search(query)
        .matches.map(({ key, score }) => ({ key, score: expect.closeTo(score, 5) as number })),
    );
    expect(copy.size).toBe(599);
  });

  it('answers nothing while it is empty', () => {
    expect(make().search({ vector: query, limit: 5 }).matches).toEqual([]);
  });
});

describe('an index that compares with every vector', () => {
  it('is outgrown beyond its limit; a graph never is, and only a graph is saved', async () => {
    const exact = new ExactIndex(E);
    const graph = HnswIndex.empty(E, 200);
    for (const index of [exact, graph]) await index.set(vectors);
    expect([exact.outgrown(600), exact.outgrown(599), graph.outgrown()]).toEqual([false, true, false]);
    expect(exact.snapshot()).toBeUndefined();
    expect(graph.snapshot().keys).toHaveLength(600);
  });
});

describe('the exact index', () => {
  it('orders equal scores by key and says how many match', async () => {
    const index = new ExactIndex(E);
    await index.set([5, 2, 9].map((key) => ({ key, embedding: query })));
    const { matches, total } = index.search({ vector: query, limit: 2 });
    expect(matches.map(({ key }) => key)).toEqual([2, 5]);
    expect(total).toBe(3);
  });

  it('refuses a vector of another length', async () => {
    await expect(new ExactIndex(E).set([{ key: 1, embedding: new Float32Array(3) }])).rejects.toThrow(
      /3 values/,
    );
  });
});

describe('a snapshot of the HNSW index', () => {
  const of = { model: 'a', embeddingSize: E };
  const load = { ...of, depth: 200, latestRevision: 12 };
  let folder: string;
  let store: SnapshotStore;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'clip-index-'));
    store = new SnapshotStore(folder);
    const index = HnswIndex.empty(E, 200);
    await index.set(vectors);
    index.delete([0, 1]);
    await store.save(index.snapshot(), { ...of, revision: 12 });
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('comes back with the same answers, deletions included', async () => {
    const loaded = await store.load(load);
    if (!('index' in loaded)) throw new Error(loaded.unusable);
    expect(loaded.revision).toBe(12);
    expect(loaded.index.size).toBe(598);
    const expected = bruteForce(vectors.slice(2), query).slice(0, 10);
    const { matches } = loaded.index.search({ vector: query, limit: 10 });
    expect(matches.map(({ key }) => key)).toEqual(expected.map(({ key }) => key));
  });

  it('takes more vectors after it was read', async () => {
    const loaded = await store.load(load);
    if (!('index' in loaded)) throw new Error(loaded.unusable);
    await loaded.index.set(unitVectors(1200, 5).map((entry) => ({ ...entry, key: entry.key + 1000 })));
    expect(loaded.index.size).toBe(1798);
  });

  it('is not used for another model or when the database is older than it', async () => {
    expect(await store.load({ ...load, model: 'b' })).toEqual({ unusable: 'another model made it' });
    expect(await store.load({ ...load, latestRevision: 11 })).toEqual({
      unusable: 'it is of another database',
    });
  });

  it('is not used when a byte changed or a file is gone', async () => {
    const damaged = join(folder, 'damaged');
    await mkdir(damaged);
    for (const name of ['hnsw.bin', 'hnsw.json']) await copyFile(join(folder, name), join(damaged, name));
    const store = new SnapshotStore(damaged);
    const path = join(damaged, 'hnsw.bin');
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    expect(await store.load(load)).toEqual({ unusable: 'its bytes are damaged' });
    await writeFile(join(damaged, 'hnsw.json'), '{');
    expect(await store.load(load)).toEqual({ unusable: 'it cannot be read' });
    await rm(join(damaged, 'hnsw.json'));
    expect(await store.load(load)).toEqual({ unusable: 'there is none' });
  });
});

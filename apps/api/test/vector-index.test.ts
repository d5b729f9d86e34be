/** The search index in its threads. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keySetOf } from '../build/vector-index/filter/key-set.js';
import { VectorIndex } from '../build/vector-index/vector-index.js';
import { bruteForce, unitVectors } from './support/unit-vectors.js';

const E = 16;
const entries = unitVectors(1500, E);
const vector = unitVectors(1, E, 77)[0]!.embedding;
const expected = bruteForce(entries, vector);

let folder: string;
let open: VectorIndex[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clip-vectors-'));
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((index) => index.close()));
  await rm(folder, { recursive: true });
});

function start(exactLimit: number, shards = 3): VectorIndex {
  const onFailure = (error: Error) => {
    throw error;
  };
  const index = new VectorIndex({ model: 'a', embeddingSize: E, folder, shards, exactLimit, onFailure });
  open.push(index);
  return index;
}

async function filled(exactLimit: number): Promise<VectorIndex> {
  const index = start(exactLimit);
  await index.set(entries);
  while ((await index.pending()) > 0);
  return index;
}

const keysOf = async (index: VectorIndex, limit: number, offset: number) =>
  (await index.search({ vector, limit, offset })).matches.map(({ key }) => key);

describe.each([
  ['exact', 1e9],
  ['hnsw', 10],
] as const)('an index of kind %s', (kind, exactLimit) => {
  it('reads page by page to the last vector what one long page gives', async () => {
    const index = await filled(exactLimit);
    expect([index.kind, index.size]).toEqual([kind, 1500]);
    const { matches, total } = await index.search({ vector, limit: 5000, offset: 0 });
    expect(total).toBe(1500);
    const all = matches.map(({ key }) => key);
    expect(new Set(all).size).toBe(1500);
    expect(all.slice(0, 20)).toEqual(expected.slice(0, 20));
    for (const limit of [13, 70, 400]) {
      const pages: number[] = [];
      for (let offset = 0; offset < 1600; offset += limit)
        pages.push(...(await keysOf(index, limit, offset)));
      expect(pages).toEqual(all);
    }
  });

  it('applies filters and a lowest score', async () => {
    const index = await filled(exactLimit);
    const among = expected.filter((key) => key % 50 === 0);
    const filtered = await index.search({ vector, limit: 100, offset: 0, among: keySetOf(among) });
    expect([filtered.matches.map(({ key }) => key), filtered.total]).toEqual([among, among.length]);
    const high = await index.search({ vector, limit: 1000, offset: 0, minScore: 0.3 });
    const count = entries.filter(
      ({ embedding }) => embedding.reduce((sum, value, e) => sum + value * vector[e]!, 0) >= 0.3,
    ).length;
    expect(high.matches.map(({ key }) => key)).toEqual(expected.slice(0, count));
    expect((await index.search({ vector, limit: 9, offset: 0, among: keySetOf([]) })).matches).toEqual([]);
  });
});

describe('an index with graphs', () => {
  it('is saved and read again, changes after it are applied, and another division is refused', async () => {
    const index = await filled(10);
    expect(await index.save(7)).toBe(true);
    const again = start(10);
    expect(await again.load(7)).toEqual({ revision: 7, unusable: [] });
    expect(again.size).toBe(1500);
    await again.delete(expected.slice(0, 3));
    expect(await keysOf(again, 10, 0)).toEqual(expected.slice(3, 13));
    const { revision, unusable } = await start(10, 2).load(7);
    expect([revision, unusable[0]]).toEqual([0, 'it is one of 3 parts, not of 2']);
  });

  it('refuses a vector of another length', async () => {
    await expect(start(10).set([{ key: 1, embedding: new Float32Array(3) }])).rejects.toThrow('3 values');
  });
});

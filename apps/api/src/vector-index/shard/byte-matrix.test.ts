import { describe, expect, it } from 'vitest';
import { unitVectors } from '../../../test/support/unit-vectors.js';
import { ByteMatrix } from './byte-matrix.js';
import { VectorMatrix } from './vector-matrix.js';

/** Rows whose float32 score is at least the `limit`-th best. */
function nearestOf(scores: Float32Array, limit: number, rows: ArrayLike<number>): number[] {
  const least = scores.toSorted().at(-limit)!;
  return Array.from(rows).filter((_, n) => scores[n]! >= least);
}

const vectorsOf = (count: number, E: number, seed: number) =>
  unitVectors(count, E, seed).map(({ embedding }) => embedding);

/** All values alike; one value alone; two nearly equal; half as long; nothing. */
const oddOnes = (E: number) => [
  new Float32Array(E).fill(1 / Math.sqrt(E)),
  new Float32Array(E).map((_, e) => Number(e === 1)),
  new Float32Array(E).map((_, e) => (e === 1 ? 1 - 1e-7 : Number(e === 2) * 1e-4)),
  new Float32Array(E).map((_, e) => Number(e === 1) / 2),
  new Float32Array(E),
];

describe.each([23, 512, 1024])('a first look at vectors of %i values', (E) => {
  const vectors = [...vectorsOf(800, E, 1), ...oddOnes(E), ...vectorsOf(200, E, 1)];
  const [exact, bytes] = [new VectorMatrix(E), new ByteMatrix(E)];
  vectors.forEach((vector, row) => {
    exact.set(row, vector);
    bytes.set(row, vector);
  });
  const queries = [...vectorsOf(8, E, 5), ...oddOnes(E), vectors[3]!];
  const some = Uint32Array.from({ length: 500 }, (_, n) => (n * 7) % vectors.length);

  it.each([1, 20, 256])('leaves out none of the %i nearest, of all rows and of some', (limit) => {
    for (const query of queries) {
      const all = nearestOf(
        exact.scoreAll(query, vectors.length),
        limit,
        vectors.map((_, row) => row),
      );
      const foundOfAll = bytes.nearest(query, limit, vectors.length);
      expect(all.filter((row) => !foundOfAll.includes(row))).toEqual([]);
      const among = nearestOf(exact.scoreRows(query, some), limit, some);
      const found = bytes.nearest(query, limit, some);
      expect(among.filter((row) => !found.includes(row))).toEqual([]);
    }
  });

  it('leaves out most of the others', () => {
    expect(bytes.nearest(queries[0]!, 10, vectors.length).length).toBeLessThan(vectors.length / 4);
  });

  it('follows rows that are written again, moved, and no longer looked at', () => {
    const own = new ByteMatrix(E);
    for (const [row, vector] of vectors.entries()) own.set(row, vector);
    own.set(5, queries[0]!);
    expect([...own.nearest(queries[0]!, 1, vectors.length)]).toEqual([5]);
    own.copy(5, 900);
    own.copy(0, 5);
    expect([...own.nearest(queries[0]!, 1, vectors.length)]).toEqual([900]);
    expect(own.nearest(queries[0]!, 1, 900)).not.toContain(900);
  });
});

import { describe, expect, it } from 'vitest';
import { atLeast, best, followedBy, merge, type Ranking } from './ranking.js';

const ranking = (...entries: [key: number, score: number][]): Ranking => ({
  keys: Int32Array.from(entries, ([key]) => key),
  scores: Float32Array.from(entries, ([, score]) => score),
});
const pairs = ({ keys, scores }: Ranking) => Array.from(keys, (key, rank) => [key, scores[rank]]);

/** Scores from a small set of values, so that many are equal, negative ones and both zeros included. */
function scoresWithTies(count: number): Float32Array {
  let state = 7;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return [-1, -0.5, -0, 0, 0.25, 0.999_999_9, 1][state % 7]!;
  });
}

describe('a ranking', () => {
  it.each([1, 10, 256, 257, 999, 1000, 5000])(
    'of the best %i is by descending score, then ascending key',
    (limit) => {
      const scores = scoresWithTies(1000);
      const keyAt = (index: number) => (index * 7919) % 1009;
      const expected = [...scores]
        .map((score, index) => [keyAt(index), score] as const)
        .sort(([keyA, a], [keyB, b]) => b - a || keyA - keyB)
        .slice(0, limit);
      const found = best(scores, keyAt, limit);
      expect([...found.keys]).toEqual(expected.map(([key]) => key));
      expect([...found.scores].map((score) => score + 0)).toEqual(expected.map(([, score]) => score + 0));
    },
  );

  it('of nothing is empty', () => {
    expect(pairs(best(new Float32Array(0), () => 0, 10))).toEqual([]);
    expect(pairs(best(Float32Array.of(1), () => 0, 0))).toEqual([]);
    expect(pairs(merge([], 3))).toEqual([]);
  });

  it('is merged from several, equal scores by key', () => {
    const parts = [ranking([4, 1], [2, 0.5]), ranking(), ranking([3, 1], [9, 0.75], [1, 0.5], [5, 0.25])];
    const all = [3, 4, 9, 1, 2, 5];
    expect([...merge(parts, 10).keys]).toEqual(all);
    expect([...merge(parts, 4).keys]).toEqual(all.slice(0, 4));
  });

  it('is continued by another without what it has', () => {
    const found = followedBy(ranking([1, 0.5], [2, 0.25]), ranking([3, 0.75], [1, 0.5], [4, 0]));
    expect(pairs(found)).toEqual([
      [1, 0.5],
      [2, 0.25],
      [3, 0.75],
      [4, 0],
    ]);
  });

  it('can be cut at a score', () => {
    expect(pairs(atLeast(ranking([1, 0.5], [2, 0.25], [3, -1]), 0.25))).toEqual([
      [1, 0.5],
      [2, 0.25],
    ]);
  });
});

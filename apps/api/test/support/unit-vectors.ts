/** Deterministic vectors for tests of the search index. */

/** `count` vectors [E] of length 1 (Lehmer's generator). Keys from 0. */
export function unitVectors(count: number, E: number, seed = 1): { key: number; embedding: Float32Array }[] {
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

/** Keys by descending cosine, by the plainest of programs. */
export const bruteForce = (
  entries: readonly { key: number; embedding: Float32Array }[],
  vector: Float32Array,
): number[] =>
  entries
    .map(({ key, embedding }) => ({
      key,
      score: embedding.reduce((sum, value, e) => sum + value * vector[e]!, 0),
    }))
    .sort((a, b) => b.score - a.score)
    .map(({ key }) => key);

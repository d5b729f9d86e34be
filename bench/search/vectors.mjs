/** Vectors in clusters, as embeddings of photos are: a centre each, and noise around it. Deterministic. */

/**
 * @param {number} count @param {number} queries @param {number} E
 * @returns {{ vectors: Float32Array, queries: Float32Array[] }} `vectors` [count, E]; all of length 1
 */
export function clusteredVectors(count, queries, E) {
  const random = lehmer(1);
  const clusters = Math.max(10, Math.round(count / 200));
  const centres = Array.from({ length: clusters }, () =>
    Float32Array.from({ length: E }, () => normal(random)),
  );
  const draw = (/** @type {Float32Array} */ out) => {
    const centre = /** @type {Float32Array} */ (centres[Math.floor(random() * clusters)]);
    let squares = 0;
    for (let e = 0; e < E; e++) {
      const value = Number(centre[e]) + 0.8 * normal(random);
      out[e] = value;
      squares += value * value;
    }
    const scale = 1 / Math.sqrt(squares);
    for (let e = 0; e < E; e++) out[e] = Number(out[e]) * scale;
    return out;
  };
  const vectors = new Float32Array(count * E);
  for (let n = 0; n < count; n++) draw(vectors.subarray(n * E, (n + 1) * E));
  return { vectors, queries: Array.from({ length: queries }, () => draw(new Float32Array(E))) };
}

/** Lehmer's generator, 0 to 1. @param {number} seed */
function lehmer(seed) {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** A normal variate, by Box and Muller. @param {() => number} random */
const normal = (random) => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());

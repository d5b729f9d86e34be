/** Search by comparing the query with every vector: exact, and fast enough for some ten thousand of them. */
import { compareMatches } from './vector-index.js';
import type { KeyedVector, Match, VectorIndex, VectorQuery, VectorResult } from './vector-index.js';

export class ExactIndex implements VectorIndex {
  readonly kind = 'exact';
  readonly depth = Number.POSITIVE_INFINITY;
  /** Row n of the matrix [capacity, E] holds the vector of keys[n]. */
  private matrix: Float32Array;
  private readonly keys: number[] = [];
  private readonly rows = new Map<number, number>();

  constructor(private readonly embeddingSize: number) {
    this.matrix = new Float32Array(0);
  }

  get size(): number {
    return this.keys.length;
  }

  async set(entries: readonly KeyedVector[]): Promise<void> {
    for (const { key, embedding } of entries) {
      if (embedding.length !== this.embeddingSize) {
        throw new Error(
          `a vector of ${embedding.length} values cannot be in an index of ${this.embeddingSize}`,
        );
      }
      const row = this.rowOf(key);
      this.matrix.set(embedding, row * this.embeddingSize);
    }
  }

  delete(keys: readonly number[]): void {
    for (const key of keys) {
      const row = this.rows.get(key);
      if (row === undefined) continue;
      const last = this.keys.length - 1;
      const lastKey = this.keys[last]!;
      const size = this.embeddingSize;
      this.matrix.copyWithin(row * size, last * size, (last + 1) * size);
      this.keys[row] = lastKey;
      this.rows.set(lastKey, row);
      this.keys.pop();
      this.rows.delete(key);
    }
  }

  search({ vector, limit, minScore = -Infinity, among }: VectorQuery): VectorResult {
    const found: Match[] = [];
    for (const [row, key] of this.keys.entries()) {
      if (among !== undefined && !among.has(key)) continue;
      const score = this.dot(row, vector);
      if (score >= minScore) found.push({ key, score });
    }
    const total = found.length;
    return { matches: best(found, limit), total };
  }

  outgrown(exactLimit: number): boolean {
    return this.size > exactLimit;
  }

  snapshot(): undefined {
    return undefined;
  }

  entries(): KeyedVector[] {
    const size = this.embeddingSize;
    const copy = this.matrix.slice(0, this.keys.length * size);
    return this.keys.map((key, row) => ({ key, embedding: copy.subarray(row * size, (row + 1) * size) }));
  }

  private rowOf(key: number): number {
    const known = this.rows.get(key);
    if (known !== undefined) return known;
    const row = this.keys.length;
    if ((row + 1) * this.embeddingSize > this.matrix.length) {
      const grown = new Float32Array(Math.max(64, row * 2) * this.embeddingSize);
      grown.set(this.matrix);
      this.matrix = grown;
    }
    this.keys.push(key);
    this.rows.set(key, row);
    return row;
  }

  private dot(row: number, vector: Float32Array): number {
    const { matrix, embeddingSize } = this;
    const start = row * embeddingSize;
    let sum = 0;
    for (let e = 0; e < embeddingSize; e++) sum += matrix[start + e]! * vector[e]!;
    return sum;
  }
}

/** The first `limit` matches in order. Only those that reach the lowest score among them are sorted as objects. */
function best(found: Match[], limit: number): Match[] {
  if (found.length <= limit) return found.sort(compareMatches);
  if (limit === 0) return [];
  const scores = Float64Array.from(found, ({ score }) => score).sort();
  const lowest = scores[scores.length - limit]!;
  return found
    .filter(({ score }) => score >= lowest)
    .sort(compareMatches)
    .slice(0, limit);
}

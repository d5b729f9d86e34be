/**
 * The port of nearest-neighbour search. N vectors of length E, L2-normalised; the score is their cosine.
 * Adapters: ExactIndex compares with every vector, HnswIndex walks a graph. Both are derived from the
 * database and can be thrown away at any time.
 */

/** A vector of the index and its score against the query. */
export interface Match {
  key: number;
  /** Cosine, −1 to 1. */
  score: number;
}

export interface VectorQuery {
  /** Query vector [E], L2-normalised. */
  vector: Float32Array;
  /** Most matches to return. */
  limit: number;
  /** Matches with a lower cosine are left out. */
  minScore?: number;
  /** Only these keys may match. */
  among?: ReadonlySet<number>;
}

/** A vector [E], L2-normalised, and its key. */
export interface KeyedVector {
  key: number;
  embedding: Float32Array;
}

/** What a snapshot keeps of an index. */
export interface Snapshot {
  /** Keys that can match. */
  keys: number[];
  /** Writes the rest to a file. Nothing may be added or deleted until it is done. */
  write: (path: string) => Promise<void>;
}

export interface VectorResult {
  /** In descending order of score, equal scores by ascending key: a shorter result is a prefix of a longer one. */
  matches: Match[];
  /** How many match in all, where the index knows. */
  total?: number;
}

export interface VectorIndex {
  readonly kind: 'exact' | 'hnsw';
  /** N. */
  readonly size: number;
  /** Most matches that a query can give. */
  readonly depth: number;
  /** Adds vectors or replaces those of known keys. Gives way to other work of the process between parts. */
  set(entries: readonly KeyedVector[]): Promise<void>;
  /** Removes keys; unknown ones are no error. */
  delete(keys: readonly number[]): void;
  search(query: VectorQuery): VectorResult;
  /** True when it holds more than `exactLimit` vectors and compares a query with each: a graph should take over. */
  outgrown(exactLimit: number): boolean;
  /** Copies of all vectors, from which another index can be built. */
  entries(): KeyedVector[];
  /** What to save of it; undefined when it is as quick to build as to read. */
  snapshot(): Snapshot | undefined;
}

/** Order of matches: descending score, then ascending key. */
export function compareMatches(a: Match, b: Match): number {
  return b.score - a.score || a.key - b.key;
}

/**
 * A part of the vectors: all of them as rows of a matrix, which a query can be compared with one by one, and beyond
 * `exactLimit` also in a graph that finds the nearest without looking at all.
 *
 * The graph is filled in the background. What it does not hold yet is pending, and is compared with the query row by
 * row beside what the graph finds, so that every vector can be found as soon as it is set.
 */
import { ByteMatrix } from './byte-matrix.js';
import { hasKey, type KeySet } from '../filter/key-set.js';
import { best, comingAfter, type Place, type Ranking } from './ranking.js';
import { SearchGraph } from './search-graph.js';
import { VectorMatrix } from './vector-matrix.js';

/** N vectors [E] with their keys: row n of `vectors` [N, E] belongs to keys[n]. */
export interface KeyedVectors {
  keys: Int32Array;
  vectors: Float32Array;
}

export interface ShardQuery {
  /** [E], L2-normalised. */
  vector: Float32Array;
  /** Maximum number of matches to return of a comparison with every vector. */
  limit: number;
  /** Only these keys may match; unknown ones are no error. */
  among?: KeySet;
  /** Only what comes after this place; every vector is compared. */
  after?: Place;
  /** Of so many matches the graph decides which they are, if it can; absent: every vector is compared. */
  nearest?: number;
}

export interface ShardResult extends Ranking {
  /** Every vector was compared: nothing nearer was missed. */
  exact: boolean;
  /** How many could match. */
  total: number;
}

/** A graph with more pending vectors than this is not asked: comparing with all costs less than with these. */
const MOST_PENDING = 4096;
/** Up to FEW_WANTED of at least MANY_ROWS rows are first looked for among bytes; for more, that leaves out too little. */
const FEW_WANTED = 256;
const MANY_ROWS = 1000;
/** Filters that let at least this share and this number of vectors pass are applied to what the graph finds. */
const WIDE_SHARE = 0.25;
const WIDE_COUNT = 20_000;
/** How many more the graph is asked for than a wide filter is expected to need. */
const WIDE_FACTOR = 2;

export class Shard {
  private readonly matrix: VectorMatrix;
  private readonly bytes: ByteMatrix;
  private readonly keys: number[] = [];
  private readonly rows = new Map<number, number>();
  private graph: SearchGraph | undefined;
  /** Keys whose present vector the graph does not hold. */
  private readonly pending = new Set<number>();

  /** @param exactLimit up to this many vectors there is no graph */
  constructor(
    private readonly E: number,
    private readonly exactLimit: number,
  ) {
    this.matrix = new VectorMatrix(E);
    this.bytes = new ByteMatrix(E);
  }

  get size(): number {
    return this.keys.length;
  }

  get hasGraph(): boolean {
    return this.graph !== undefined;
  }

  /** Vectors that the graph does not hold yet. */
  get pendingCount(): number {
    return this.pending.size;
  }

  /** Takes the vectors of a graph that was saved. The shard must be empty. */
  adopt(graph: SearchGraph, keys: Iterable<number>): void {
    this.graph = graph;
    for (const key of keys) this.write(key, graph.vector(key));
  }

  /** Adds vectors, or replaces those of known keys. */
  set({ keys, vectors }: KeyedVectors): void {
    keys.forEach((key, n) => {
      const vector = vectors.subarray(n * this.E, (n + 1) * this.E);
      const row = this.rows.get(key);
      if (row !== undefined && equal(this.matrix.get(row), vector)) return;
      this.write(key, vector);
      this.pending.add(key);
    });
    if (this.graph === undefined && this.size > this.exactLimit) {
      this.graph = SearchGraph.empty(this.E);
      for (const key of this.keys) this.pending.add(key);
    }
    if (this.graph === undefined) this.pending.clear();
  }

  /** Removes keys; unknown ones are no error. */
  delete(keys: Iterable<number>): void {
    for (const key of keys) {
      const row = this.rows.get(key);
      if (row === undefined) continue;
      const lastKey = this.keys.pop()!;
      if (lastKey !== key) {
        this.matrix.copy(this.keys.length, row);
        this.bytes.copy(this.keys.length, row);
        this.keys[row] = lastKey;
        this.rows.set(lastKey, row);
      }
      this.rows.delete(key);
      this.pending.delete(key);
      this.graph?.delete(key);
    }
  }

  /** Puts up to `count` pending vectors into the graph. Returns whether any are left. */
  fillGraph(count: number): boolean {
    let left = count;
    for (const key of this.pending) {
      if (left-- === 0) return true;
      this.graph!.set(key, this.matrix.get(this.rows.get(key)!));
      this.pending.delete(key);
    }
    return false;
  }

  search(query: ShardQuery): ShardResult {
    const rows = query.among && this.rowsOf(query.among);
    const total = rows?.length ?? this.size;
    const { vector, limit, after } = query;
    if (after !== undefined) return { ...this.compareAfter(after, vector, limit, rows), exact: true, total };
    const found = this.searchGraph(query, rows);
    return { ...(found ?? this.compare(vector, limit, rows)), exact: found === undefined, total };
  }

  /** The graph with its live keys, to be saved; undefined when there is none or it lacks something. */
  saved(): { graph: SearchGraph; keys: number[] } | undefined {
    return this.graph === undefined || this.pending.size > 0
      ? undefined
      : { graph: this.graph, keys: [...this.keys] };
  }

  private write(key: number, vector: Float32Array): void {
    const known = this.rows.get(key);
    const row = known ?? this.keys.length;
    this.matrix.set(row, vector);
    this.bytes.set(row, vector);
    if (known !== undefined) return;
    this.keys.push(key);
    this.rows.set(key, row);
  }

  /** Compares with all rows, or with some. */
  private compare(vector: Float32Array, limit: number, among?: Uint32Array): Ranking {
    const count = among?.length ?? this.size;
    const isLong = count >= MANY_ROWS && limit > 0 && limit <= FEW_WANTED;
    const rows = isLong ? this.bytes.nearest(vector, limit, among ?? count) : among;
    if (rows === undefined) {
      return best(this.matrix.scoreAll(vector, this.size), (row) => this.keys[row]!, limit);
    }
    return best(this.matrix.scoreRows(vector, rows), (n) => this.keys[rows[n]!]!, limit);
  }

  /** The same for what comes after a place: scores of all, since the first look finds the nearest alone. */
  private compareAfter(after: Place, vector: Float32Array, limit: number, rows?: Uint32Array): Ranking {
    const scores = rows ? this.matrix.scoreRows(vector, rows) : this.matrix.scoreAll(vector, this.size);
    const keyAt = (index: number) => this.keys[rows?.[index] ?? index]!;
    const left = comingAfter(scores, keyAt, after);
    return best(
      Float32Array.from(left, (index) => scores[index]!),
      (index) => keyAt(left[index]!),
      limit,
    );
  }

  /** What graph and pending rows give; undefined when all rows should be compared instead. */
  private searchGraph({ vector, nearest, among }: ShardQuery, allowed?: Uint32Array): Ranking | undefined {
    if (nearest === undefined || this.graph === undefined || this.pending.size > MOST_PENDING)
      return undefined;
    let wanted = nearest;
    if (allowed !== undefined) {
      const share = allowed.length / this.size;
      if (share < WIDE_SHARE || allowed.length < WIDE_COUNT) return undefined;
      wanted = Math.ceil((nearest / share) * WIDE_FACTOR);
    }
    const found = this.graph.nearest(vector, wanted);
    const rows = new Uint32Array(found.length + this.pending.size);
    let count = 0;
    const add = (key: number) => {
      const row = this.rows.get(key);
      if (row !== undefined && (among === undefined || hasKey(among, key))) rows[count++] = row;
    };
    for (const key of found) if (!this.pending.has(key)) add(key);
    this.pending.forEach(add);
    if (count < Math.min(nearest, allowed?.length ?? this.size)) return undefined;
    return this.compare(vector, nearest, rows.subarray(0, count));
  }

  private rowsOf(among: KeySet): Uint32Array {
    const rows = new Uint32Array(this.size);
    let count = 0;
    for (let row = 0; row < rows.length; row++) if (hasKey(among, this.keys[row]!)) rows[count++] = row;
    return rows.subarray(0, count);
  }
}

const equal = (a: Float32Array, b: Float32Array): boolean => a.every((value, e) => value === b[e]);
